"""
The page "OSS transfers" as Airflow finds it: entry point ``airflow.plugins``, Airflow 3.1 and later.

Every process of Airflow imports this module, those of tasks too. So it imports nothing but the base class; the app,
and what it needs, is made when the api-server gets the first request for it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from functools import cached_property
from typing import Any, Final
from urllib.parse import quote

from airflow.providers.common.compat.sdk import AirflowPlugin

PAGE_NAME: Final = "OSS transfers"
ROUTE: Final = "oss-transfers"
"""The page is at ``plugin/<route>`` of Airflow's UI, the app at ``/<route>``."""

_BUNDLE: Final = f"""
const page = await import(new URL("{ROUTE}/static/transfers.js", document.baseURI).href);
globalThis["{PAGE_NAME}"] = page.default;
"""
"""
What the UI imports. It imports the page from where the UI is.

Airflow 3.1 and 3.2 resolve a relative address against their own script, so that it would not be found.
"""

_Message = MutableMapping[str, Any]


class TransfersApp:
    """ASGI application that is made at its first request."""

    @cached_property
    def _app(self) -> Any:
        from airflow_provider_oss.ui.app import make_app

        return make_app()

    async def __call__(
        self,
        scope: _Message,
        receive: Callable[[], Awaitable[_Message]],
        send: Callable[[_Message], Awaitable[None]],
    ) -> None:
        """Answer a request."""
        await self._app(scope, receive, send)


class OSSTransfersPlugin(AirflowPlugin):
    """
    The page and the app that it asks; neither below Airflow 3.1, nor with ``[aliyun_oss] transfers_page = False``.

    The setting is read when the api-server asks for them, once.
    """

    name = "oss_transfers"

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]  # read by the api-server alone
        """The app, as Airflow mounts it."""
        return [{"app": TransfersApp(), "url_prefix": f"/{ROUTE}", "name": PAGE_NAME}] if self._is_offered else []

    @cached_property
    def react_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]  # as fastapi_apps
        """The page, as Airflow's UI loads it."""
        page = {
            "name": PAGE_NAME,
            "url_route": ROUTE,
            "destination": "nav",
            "category": "browse",
            "bundle_url": f"data:text/javascript,{quote(_BUNDLE)}",
        }
        return [page] if self._is_offered else []

    @cached_property
    def _is_offered(self) -> bool:
        from airflow_provider_oss.links.oss import has_page

        return has_page()
