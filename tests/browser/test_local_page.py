"""The pages of the local OSS server, as a browser shows them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import pytest
from playwright.sync_api import expect

from airflow_provider_oss.emulator import Fault, OSSEmulator
from tests.conftest import BUCKET
from tests.emulator.support import Client

if TYPE_CHECKING:
    from playwright.sync_api import Page, Request

HOSTILE = "<img src=x onerror=\"document.title='owned'\">"
LONG = f"reports/{'long-' * 60}name.csv"
NARROW, WIDE = 360, 1100


class Visit(NamedTuple):
    """The browser's tab, and what it asked for and complained of since the test began."""

    page: Page
    asked: list[str]
    complaints: list[str]


@pytest.fixture
def visit(page: Page, server: OSSEmulator) -> Iterator[Visit]:
    """The tab, and a server that holds something."""
    client = Client(server, bucket=BUCKET)
    for key in (HOSTILE, LONG, "reports/a.csv"):
        client.send("PUT", key, headers={"Content-Type": "text/csv"}, body=b"a,b\n")
    upload_id = client.send("POST", HOSTILE, {"uploads": ""}).text("UploadId") or ""
    client.send("PUT", HOSTILE, {"partNumber": "1", "uploadId": upload_id}, body=b"x" * 2048)
    server.faults.add(Fault(operation="UploadPart", part_number=3, status=503, message=HOSTILE, times=2))

    visited = Visit(page, [], [])

    def note(request: Request) -> None:
        visited.asked.append(request.url)

    page.on("request", note)
    page.on("console", lambda message: visited.complaints.append(message.text))
    page.on("pageerror", lambda error: visited.complaints.append(str(error)))
    yield visited
    page.remove_listener("request", note)
    page.set_viewport_size({"width": WIDE, "height": 900})
    page.emulate_media(color_scheme="light")
    server.faults.clear()
    client.send("DELETE", HOSTILE, {"uploadId": upload_id})
    server.forget_requests()


def test_what_is_shown(visit: Visit, server: OSSEmulator) -> None:
    """From the first page to a bucket's and back: everything is text, and nothing runs or comes from elsewhere."""
    page = visit.page
    page.goto(f"{server.endpoint}/-/")
    faults = page.get_by_role("row").filter(has_text="operation=UploadPart, part_number=3, times=2")
    expect(faults.get_by_text(f"status=503, message={HOSTILE}", exact=True)).to_be_visible()
    requests = page.locator("section").filter(has_text="Last requests").get_by_role("row")
    expect(requests.filter(has_text="InitiateMultipartUpload").get_by_text(f"{BUCKET}/{HOSTILE}")).to_be_visible()
    part = page.locator("details td").get_by_text("2.0 KiB", exact=True)
    expect(part).to_be_hidden()
    page.locator("summary").filter(has_text=f"{BUCKET}/{HOSTILE} 1 parts (1), 2.0 KiB").click()
    expect(part).to_be_visible()

    page.get_by_role("link", name=BUCKET, exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(BUCKET)
    expect(page.get_by_role("cell", name=HOSTILE, exact=True)).to_be_visible()
    page.get_by_label("Keys that begin with").fill("reports/a")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("cell", name="reports/a.csv", exact=True)).to_be_visible()
    expect(page.get_by_role("cell", name=HOSTILE, exact=True)).to_have_count(0)
    page.get_by_role("link", name="Local OSS server").click()

    expect(page).to_have_title("Local OSS server")
    assert page.locator("img, script").count() == 0
    assert [url for url in visit.asked if not url.startswith((f"{server.endpoint}/-/", "data:,"))] == []
    assert visit.complaints == []


@pytest.mark.parametrize("width", [NARROW, WIDE])
@pytest.mark.parametrize("path", ["/-/", f"/-/buckets/{BUCKET}"])
def test_the_page_fits(visit: Visit, server: OSSEmulator, width: int, path: str) -> None:
    """On a phone as on a desk, what is wide scrolls by itself and the page does not."""
    visit.page.set_viewport_size({"width": width, "height": 740})
    visit.page.goto(f"{server.endpoint}{path}")
    expect(visit.page.get_by_text(LONG, exact=False).first).to_be_visible()
    assert visit.page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize(("scheme", "is_dark"), [("light", False), ("dark", True)])
def test_light_and_dark(visit: Visit, server: OSSEmulator, scheme: str, is_dark: bool) -> None:  # noqa: FBT001
    """The page is as light or dark as the browser is told to be, and its text stands out from it."""
    visit.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of its literals
    visit.page.goto(f"{server.endpoint}/-/")
    paper, ink = (
        sum(map(int, visit.page.evaluate(f"getComputedStyle(document.body).{name}.match(/\\d+/g).slice(0, 3)"))) / 3
        for name in ("backgroundColor", "color")
    )
    assert (paper < 128) is is_dark
    assert abs(paper - ink) > 150
