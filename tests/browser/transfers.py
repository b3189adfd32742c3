"""The page "OSS transfers", in a user's words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page


class TransfersPage:
    """The page in a browser. What it asks may be answered by a test instead of the server."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.root = page.locator(".ot-page")

    @property
    def address(self) -> str:
        """Where the page is."""
        return f"{self.url}/plugin/oss-transfers"

    def answer(self, route: str, body: Any, status: int = 200) -> None:
        """Let a route answer this from now on."""
        self.page.unroute(self._pattern(route))
        self.page.route(self._pattern(route), lambda asked: asked.fulfill(status=status, json=body))

    def _pattern(self, route: str) -> str:
        return f"**/oss-transfers/api/{route}?*"

    def visit(self, **query: Any) -> None:
        """Load the page with this query, and wait until something other than a notice to wait is there."""
        self.page.goto(f"{self.address}?{urlencode(query)}")
        self.root.get_by_text("Loading …").wait_for(state="detached")
        self.root.get_by_role("heading", name="OSS transfers").wait_for()

    def turn_to(self, **query: Any) -> None:
        """Show what this query asks for without loading the UI again, as going back and forth does."""
        self.page.evaluate(
            "to => { history.pushState(null, '', to); dispatchEvent(new PopStateEvent('popstate')) }",
            f"{self.address}?{urlencode(query)}",
        )
        self.root.get_by_text("Loading …").wait_for(state="detached")

    def row(self, text: str) -> Locator:
        """Return the row of the list with this text."""
        return self.root.get_by_role("row").filter(has_text=text)

    def section(self, name: str) -> Locator:
        """Return a titled part of a transfer's view."""
        return self.root.get_by_role("region", name=name, exact=True)

    def map_of_parts(self) -> Locator:
        """Return the picture of the parts."""
        return self.root.get_by_role("img", name="Map of")
