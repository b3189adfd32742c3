"""
Pages for browsers under ``/-/``: what the server holds, what was asked of it, and the faults in force. Read only.

They show names, sizes and times, never a secret nor the content of an object. Nobody signs for them: they are there for
whoever reaches the server, which by default is this machine, under an IP address or ``localhost`` alone, so that a
website whose name leads to this machine is no way in. No bucket can be named ``-``.
"""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Final

from airflow_provider_oss.emulator.addressing import is_bucket_name, names_this_machine
from airflow_provider_oss.emulator.page.addresses import BUCKETS, OVERVIEW, STYLE
from airflow_provider_oss.emulator.page.bucket import bucket_page
from airflow_provider_oss.emulator.page.html import document, element
from airflow_provider_oss.emulator.page.overview import overview
from airflow_provider_oss.emulator.wire.http import Response

if TYPE_CHECKING:
    from airflow_provider_oss.emulator.faults import Faults
    from airflow_provider_oss.emulator.ledger import Ledger
    from airflow_provider_oss.emulator.operations.call import Environment
    from airflow_provider_oss.emulator.page.html import Markup
    from airflow_provider_oss.emulator.wire.http import Request

_TITLE: Final = "Local OSS server"
_BEGINNING: Final = OVERVIEW.rstrip("/")
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def page_for(request: Request, environment: Environment, faults: Faults, ledger: Ledger) -> Response | None:
    """Return the answer to a request for a page, None when it asks for none."""
    path = request.raw_path.decode("latin-1")
    if (
        request.method not in ("GET", "HEAD")
        or not path.startswith(_BEGINNING)
        or not names_this_machine(request.header("host"))
    ):
        return None
    if path in (OVERVIEW, _BEGINNING):
        return _page(_TITLE, overview(environment, faults, ledger))
    if path == STYLE:
        style = resources.files(__name__).joinpath("style.css").read_bytes()
        return Response(200, {**_HEADERS, "Content-Type": "text/css; charset=utf-8"}, style)
    bucket = path.removeprefix(BUCKETS)
    if not path.startswith(BUCKETS) or not is_bucket_name(bucket):
        return None
    back = element("nav", element("a", _TITLE, href=OVERVIEW))
    if environment.store.bucket(bucket) is None:
        return _page(bucket, back, element("p", f"There is no bucket {bucket}."), status=404)
    prefix, after = request.parameter("prefix"), request.parameter("after")
    return _page(bucket, back, bucket_page(environment.store, bucket, prefix, after))


def _page(title: str, *content: Markup, status: int = 200) -> Response:
    body = document(title, STYLE, *content)
    return Response(status, {**_HEADERS, "Content-Type": "text/html; charset=utf-8"}, body)
