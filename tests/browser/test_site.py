"""The documentation site, as a browser shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.support.site import build_site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Page

NARROW, WIDE = 390, 1440
TOO_WIDE = "[...document.querySelectorAll('.table-wrapper')].filter(box => box.scrollWidth > box.clientWidth).length"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the site."""
    folder = tmp_path_factory.mktemp("site")
    build_site(folder)
    return folder


@pytest.fixture
def tab(page: Page) -> Iterator[Page]:
    """The browser's tab, which gets back the size that it had."""
    size = page.viewport_size
    yield page
    if size:
        page.set_viewport_size(size)


@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_tables_fit(tab: Page, site: Path, width: int) -> None:
    """On no page something has to be scrolled sideways, on a phone as on a desk: neither the page nor a table."""
    tab.set_viewport_size({"width": width, "height": 900})
    found = {}
    for page in site.rglob("*.html"):
        tab.goto(page.as_uri(), wait_until="domcontentloaded")
        found[page] = (tab.evaluate("document.documentElement.scrollWidth"), tab.evaluate(TOO_WIDE))
    assert len(found) > 1
    assert {page.name: size for page, size in found.items() if size != (width, 0)} == {}


def test_cells_bear_their_headings_on_a_phone(tab: Page, site: Path) -> None:
    """Where columns have become lines, each says what it is; where there are columns, their head does."""
    tab.goto((site / "troubleshooting.html").as_uri())
    row = tab.get_by_role("row").filter(has_text="AccessKeyIdAndSecurityTokenNotMatch")
    tab.set_viewport_size({"width": NARROW, "height": 900})
    expect(row.get_by_text("what to look at")).to_be_visible()
    tab.set_viewport_size({"width": WIDE, "height": 900})
    expect(row.get_by_text("what to look at")).to_be_hidden()
    expect(tab.get_by_role("columnheader", name="what to look at").first).to_be_visible()


def test_search_finds_an_argument(tab: Page, site: Path) -> None:
    """Without a server, from a disk."""
    tab.goto((site / "index.html").as_uri())
    tab.get_by_placeholder("Search").fill("multipart_threshold")
    tab.get_by_placeholder("Search").press("Enter")
    expect(tab.locator("#search-results").get_by_role("link", name="Operators", exact=True)).to_be_visible()
