"""
What the page "OSS transfers" makes of the answers of its routes, in Airflow's own UI below a sub-path.

The answers are those of ``canned.py``; ``test_watched_transfers.py`` has real ones.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from airflow_provider_oss.limits import MIB
from tests.browser import canned
from tests.browser.conftest import TakePicture
from tests.browser.transfers import TransfersPage
from tests.support.browser import PATIENCE_MILLISECONDS

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.watched import WatchedAirflow

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("transfers-page")]

expect.set_options(timeout=PATIENCE_MILLISECONDS)

PICTURES = (
    "transfers-list-light-wide",
    "transfers-list-light-narrow",
    "transfers-transfer-light-wide",
    "transfers-transfer-dark-wide",
    "transfers-mapped-light-wide",
)
"""Those of all views that the documentation shows."""

NARROW = {"width": 400, "height": 900}
WIDE = {"width": 1280, "height": 1000}


@pytest.fixture
def transfers(watched: WatchedAirflow, page: Page) -> Iterator[TransfersPage]:
    """The page as its administrator sees it, in a tab of usual size. It asks nobody but its own server."""
    watched.log_in_as("admin", page.context)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.set_viewport_size(WIDE)  # type: ignore[arg-type]  # a TypedDict
    yield TransfersPage(page, watched.url)
    page.unroute_all()
    own = watched.url.removesuffix(watched.base_path)  # Airflow 3.2 asks for its version above the sub-path
    assert [url for url in asked if not url.startswith((f"{own}/", "data:", "blob:"))] == []


def several() -> dict[str, Any]:
    """Return the answer of a list with every kind of row."""
    own_store = canned.transfer(None, task_id="own_store")
    failed = canned.transfer(canned.record(state="failed"), task_id="broken", state="failed", dag_id="weekly")
    others = (canned.ranges()[1], own_store, failed, *map(canned.finished, range(6)))
    return canned.listed(canned.resumed(), canned.stream(), canned.directory(), *others, notes=("Said by the server.",))


def test_page_is_in_the_navigation(transfers: TransfersPage) -> None:
    """A user who looks through the UI's menus finds the page."""
    transfers.answer("transfers", canned.listed())
    transfers.page.goto(transfers.url)
    transfers.page.get_by_role("button", name="Browse").click()
    transfers.page.get_by_role("menuitem", name="OSS transfers").click()
    expect(transfers.root).to_contain_text("No transfers yet.")


def test_list_says_how_far_each_is(transfers: TransfersPage) -> None:
    """Each row has figures that fit its kind: what was saved, files, and of a stream no percentage."""
    transfers.answer("transfers", several())
    transfers.visit()
    resumed = transfers.row("orders.bin").first
    for words in ("61 %, 616 MiB of 997 MiB", "24.5 MiB/s, 16 s left", "264 MiB sent, 352 MiB verified"):
        expect(resumed).to_contain_text(words)
    for words in ("352 MiB not sent again", "2 tries repeated", "attempt 3 of 6", "upload from orders.bin", "running"):
        expect(resumed).to_contain_text(words)
    expect(resumed.get_by_role("progressbar", name="Progress of orders.bin")).to_have_attribute("aria-valuenow", "61")

    stream = transfers.row("today.gz")
    expect(stream).to_contain_text("51.0 MiB so far")
    expect(stream).not_to_contain_text("%")
    assert stream.get_by_role("progressbar").get_attribute("aria-valuenow") is None

    expect(transfers.row("site/")).to_contain_text("1,614 of 1,840 files, 2 failed")
    expect(transfers.row("own_store")).to_contain_text("no record of its progress")
    expect(transfers.row("broken")).to_contain_text("failed")
    expect(transfers.row("0004.parquet")).to_contain_text("100 %, 151 MiB")
    expect(transfers.root).to_contain_text("5 running, together 56.6 MiB/s")
    expect(transfers.root).to_contain_text("Said by the server.")


def test_links_lead_to_the_task_and_the_object(transfers: TransfersPage) -> None:
    """The task is a page of this UI, below its sub-path; the object is in OSS's console; no other scheme is a link."""
    transfers.answer(
        "transfers", canned.listed(canned.resumed(), canned.transfer(console_url="javascript:alert(1)", task_id="odd"))
    )
    transfers.visit()
    task = transfers.row("orders.bin").get_by_role("link", name="nightly / upload")
    assert task.evaluate("link => link.href").startswith(f"{transfers.url}/dags/nightly/runs/")
    console = transfers.row("orders.bin").get_by_role("link", name="OSS console")
    assert console.get_attribute("href") == canned.resumed()["console_url"]
    expect(transfers.row("odd").get_by_role("link")).to_have_count(2)


def test_filters_are_in_the_address(transfers: TransfersPage) -> None:
    """What is chosen is asked for and in the address: it can be reloaded, and gone back from."""
    transfers.answer("transfers", several())
    transfers.visit()
    with transfers.page.expect_request("**/api/transfers?*dag_id=weekly*"):
        transfers.root.get_by_label("DAG").select_option("weekly")
    with transfers.page.expect_request("**/api/transfers?*state=failed*"):
        transfers.root.get_by_label("State").select_option("failed")
    assert transfers.page.url == f"{transfers.address}?dag_id=weekly&state=failed"

    transfers.answer("transfers", canned.listed())
    transfers.page.reload()
    expect(transfers.root).to_contain_text("No transfer matches these filters.")
    expect(transfers.root.get_by_label("State")).to_have_value("failed")
    transfers.page.go_back()
    expect(transfers.root.get_by_label("State")).to_have_value("")
    expect(transfers.root.get_by_label("DAG")).to_have_value("weekly")


def test_transfer_shows_its_parts_attempts_and_events(transfers: TransfersPage) -> None:
    """The map says in words what it draws; each attempt says how it ended; events are there, latest first."""
    checkpoint = {"place": "task state oss_upload_checkpoint", "upload_id": "0004B999EF51", "done_parts": 44}
    transfers.answer("transfer", canned.shown(canned.resumed(), checkpoint=checkpoint))
    transfers.visit(dag_id="nightly", run_id="scheduled__2026-11-30T18:00:00+00:00", task_id="upload", map_index=-1)
    expect(transfers.root.get_by_role("heading", name="oss://exports/dumps/orders.bin")).to_be_visible()
    picture = transfers.map_of_parts()
    expect(picture).to_have_attribute(
        "aria-label", "Map of 125 parts: 44 stored earlier and verified, 33 stored, 4 being sent, 44 missing"
    )
    transfers.root.get_by_text("The numbers of the parts").click()
    expect(transfers.section("Parts")).to_contain_text("73, 77-78, 81")
    box = picture.bounding_box()
    assert box is not None
    transfers.page.mouse.move(box["x"] + 5, box["y"] + 5)
    expect(transfers.section("Parts")).to_contain_text("Part 1, from 0 B: stored earlier and verified")

    attempts = transfers.section("Attempts").get_by_role("row")
    expect(attempts.nth(1)).to_contain_text("killed")
    expect(attempts.nth(2)).to_contain_text("OSSConnectionTimeout: part 47 of oss://exports/dumps/orders.bin")
    expect(attempts.nth(3)).to_contain_text("352 MiB")
    events = transfers.root.get_by_role("log").get_by_role("listitem")
    expect(events.first).to_contain_text("Part 78: try 1 failed: HTTP 503")
    expect(transfers.root.get_by_role("img", name="Rate over 40 s: highest 44.0 MiB/s")).to_be_visible()
    transfers.root.get_by_text("Checkpoint", exact=True).click()
    expect(transfers.root).to_contain_text("0004B999EF51")


def test_attempt_that_left_no_word_was_killed(transfers: TransfersPage) -> None:
    """The last word of an attempt may be that it runs: it does only while the task does, and in that attempt."""
    runs = canned.resumed()
    for fields, ended in (({}, "running"), ({"state": "failed"}, "killed"), ({"try_number": 4}, "killed")):
        transfers.answer("transfer", canned.shown(runs | fields))
        transfers.visit(task_id="upload")
        expect(transfers.section("Attempts").get_by_role("row").nth(3)).to_contain_text(ended)


def test_mapped_ranges_are_one_picture(transfers: TransfersPage) -> None:
    """The ranges of one object share a map; what was in flight of an instance that waits is missing."""
    ranges = canned.ranges()
    ranges[2]["record"]["parts"]["in_flight"] = "113"
    transfers.answer("transfer", canned.shown(ranges[1], *ranges))
    transfers.visit(task_id="ranges", map_index=1)
    expect(transfers.map_of_parts()).to_have_count(1)
    expect(transfers.map_of_parts()).to_have_attribute(
        "aria-label", "Map of 200 parts: 18 stored earlier and verified, 115 stored, 3 being sent, 64 missing"
    )
    expect(transfers.root).to_contain_text(
        "All together: 1.04 GiB of 1.56 GiB, 66 %, 36.0 MiB/s, 144 MiB not sent again"
    )
    transfers.answer("transfer", {**canned.shown(ranges[1], *ranges), "transfer": None})
    transfers.root.get_by_role("link", name="4 in this run").click()
    expect(transfers.root.get_by_role("heading", name="nightly / ranges")).to_be_visible()
    assert "map_index" not in transfers.page.url
    with transfers.page.expect_request("**/api/transfer?*map_index=3*"):
        transfers.root.get_by_role("link", name="[3] 2-tb.bin").click()


def test_everything_is_shown_as_text(transfers: TransfersPage) -> None:
    """Keys, sources, errors, ids and notes that look like HTML are seen as they are, in every view."""
    hostile = canned.HOSTILE
    record = canned.resumed()["record"] | {
        "kind": hostile,
        "target": f"oss://exports/{hostile}",
        "source": hostile,
        "attempts": [{"number": 1, "state": hostile, "error": hostile, "seconds": 1, "sent": 1}],
        "events": [{"at": hostile, "text": hostile}],
    }
    one = canned.transfer(record, dag_id=hostile, task_id=hostile, run_id=hostile, operator=hostile, state=hostile)
    found = canned.forgotten()
    found["findings"][0] |= {"dag_id": hostile, "task_id": hostile, "task_url": hostile}
    found["findings"][0]["result"]["first"][0]["key"] = hostile
    transfers.answer("transfers", canned.listed(one, notes=(hostile,)))
    transfers.answer(
        "transfer", canned.shown(one, one | {"map_index": 0}, checkpoint={hostile: hostile}, notes=[hostile])
    )
    transfers.answer("forgotten", found | {"notes": [hostile]})
    transfers.visit()
    for query in ({}, {"task_id": hostile}, {"view": "forgotten"}, {"dag_id": hostile}):
        transfers.turn_to(**query)
        expect(transfers.root.get_by_text(hostile).filter(visible=True).first).to_be_visible()
        expect(transfers.root.locator("img")).to_have_count(0)
        assert "hacked" not in transfers.page.title()


def test_request_that_fails_is_shown_beside_what_is_known(transfers: TransfersPage) -> None:
    """A failure is said at once, the last answer stays, and the page goes on by itself."""
    transfers.page.clock.install()
    transfers.answer("transfers", several())
    transfers.visit()
    transfers.answer("transfers", {"detail": "the database is locked"}, 503)
    transfers.page.clock.run_for(2000)
    expect(transfers.root.get_by_role("alert")).to_contain_text("The server answered 503: the database is locked")
    expect(transfers.row("today.gz")).to_be_visible()
    transfers.answer("transfers", several())
    transfers.page.clock.run_for(5000)
    expect(transfers.root.get_by_text("503")).to_have_count(0)

    for status, words in ((401, "You are logged out."), (403, "You may not see this"), (404, "no such transfer")):
        transfers.answer("transfer", {}, status)
        transfers.turn_to(task_id=f"task-{status}")
        expect(transfers.root.get_by_role("alert")).to_contain_text(words)


def test_answer_that_makes_no_sense_leaves_no_blank_page(transfers: TransfersPage) -> None:
    """An answer that cannot be drawn is said to be one, and the other views can still be reached."""
    transfers.answer("transfers", canned.listed() | {"transfers": [None]})
    transfers.answer("forgotten", canned.forgotten())
    transfers.page.goto(transfers.address)
    expect(transfers.root.get_by_role("alert")).to_contain_text("This could not be shown")
    transfers.root.get_by_role("link", name="Forgotten uploads").click()
    expect(transfers.root).to_contain_text("dumps/2026-11-02.bin")


def test_forgotten_uploads_are_listed_without_a_way_to_abort_them(transfers: TransfersPage) -> None:
    """What the maintenance tasks found, with links to them; no button does anything."""
    transfers.answer("forgotten", canned.forgotten())
    transfers.visit(view="forgotten")
    expect(transfers.root).to_contain_text("7 unfinished uploads, 2 of them forgotten with 849 MiB: left as they are")
    expect(transfers.row("dumps/2026-11-02.bin")).to_contain_text("812 MiB")
    expect(transfers.row("dumps/2026-11-02.bin")).to_contain_text("nightly/scheduled__2026-10-16/upload")
    expect(transfers.row("dumps/2-tb.bin")).to_contain_text("kept: a live checkpoint names it")
    task = transfers.root.get_by_role("link", name="maintenance / look")
    assert task.evaluate("link => link.href").startswith(f"{transfers.url}/dags/maintenance/")
    expect(transfers.root.get_by_role("button")).to_have_count(0)


def test_keyboard_is_enough(transfers: TransfersPage) -> None:
    """A transfer is reached and left by keys; the UI's own way to the page leads back to the list."""
    transfers.answer("transfers", several())
    transfers.answer("transfer", canned.shown(canned.resumed()))
    transfers.visit()
    link = transfers.row("orders.bin").first.get_by_role("link", name="orders.bin", exact=True)
    transfers.root.get_by_label("State").focus()
    transfers.page.keyboard.press("Tab")
    expect(link).to_be_focused()
    transfers.page.keyboard.press("Enter")
    expect(transfers.map_of_parts()).to_be_visible()
    transfers.page.get_by_role("button", name="Browse").click()
    transfers.page.get_by_role("menuitem", name="OSS transfers").click()
    expect(transfers.row("today.gz")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_view_can_be_read(transfers: TransfersPage, theme: str, take_picture: TakePicture) -> None:
    """On wide and on narrow screens, light and dark: nothing sticks out, and text stands out from what is behind it."""
    ranges = canned.ranges()
    views: dict[str, tuple[str, Any, dict[str, Any]]] = {
        "list": ("transfers", several(), {}),
        "transfer": ("transfer", canned.shown(canned.resumed()), {"task_id": "upload"}),
        "directory": ("transfer", canned.shown(canned.directory()), {"task_id": "mirror"}),
        "mapped": ("transfer", canned.shown(ranges[1], *ranges), {"task_id": "ranges", "map_index": 1}),
        "forgotten": ("forgotten", canned.forgotten(), {"view": "forgotten"}),
    }
    transfers.answer("transfers", several())
    transfers.visit()
    transfers.page.evaluate("theme => localStorage.setItem('theme', theme)", theme)
    transfers.visit()
    expect(transfers.page.locator("html")).to_have_class(re.compile(theme))
    for name, (route, body, query) in views.items():
        transfers.answer(route, body)
        for screen, size in (("wide", WIDE), ("narrow", NARROW)):
            transfers.page.set_viewport_size(size)  # type: ignore[arg-type]  # a TypedDict
            transfers.turn_to(**query)
            expect(transfers.root.get_by_role("heading", level=1)).to_be_visible()
            assert transfers.root.evaluate("page => page.scrollWidth - page.clientWidth") <= 0
            assert transfers.root.evaluate(_LEAST_CONTRAST) >= 3
            if (picture := f"transfers-{name}-{theme}-{screen}") in PICTURES:
                take_picture(picture, transfers.page)
    transfers.page.evaluate("localStorage.removeItem('theme')")


_LEAST_CONTRAST = """page => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const luminance = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [red, green, blue] = [...canvas.getImageData(0, 0, 1, 1).data].map((value) => value / 255)
      .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const background = (one) => {
    const own = getComputedStyle(one).backgroundColor;
    return own.endsWith(", 0)") && one.parentElement ? background(one.parentElement) : own;
  };
  const behind = luminance(background(page));
  const hasText = (one) => [...one.childNodes].some((node) => node.nodeType === Node.TEXT_NODE);
  const texts = [...page.querySelectorAll("*")].filter(hasText);
  return Math.min(...texts.map((one) => {
    const own = luminance(getComputedStyle(one).color);
    return (Math.max(own, behind) + 0.05) / (Math.min(own, behind) + 0.05);
  }));
}"""
"""The least contrast between a text of the page and the UI's background, as the WCAG counts it."""


def test_ten_thousand_parts_stay_quick(transfers: TransfersPage, capsys: pytest.CaptureFixture[str]) -> None:
    """The map of the largest upload that OSS takes is a handful of elements."""
    stored = ",".join(f"{part}-{part + 180}" for part in range(1, 9001, 200))
    parts = {"size": 200 * MIB, "count": 10_000, "first": 1, "stored": stored, "verified": "1-40", "in_flight": "9100"}
    one = canned.transfer(canned.record(parts=parts, total=10_000 * 200 * MIB))
    transfers.answer("transfer", canned.shown(one))
    begun = time.monotonic()
    transfers.visit(task_id="upload")
    expect(transfers.map_of_parts()).to_be_visible()
    with capsys.disabled():
        print(f"\n10,000 parts: map drawn {time.monotonic() - begun:.2f} s after the page was asked for")  # noqa: T201 - for the reader
    assert transfers.map_of_parts().locator("path").count() == 4
    expect(transfers.map_of_parts()).to_have_attribute("aria-label", re.compile("^Map of 10,000 parts: 40 stored"))


@pytest.mark.parametrize(
    ("module", "call", "expected"),
    [
        ("format", "bytes(0)", "0 B"),
        ("format", "bytes(1023)", "1023 B"),
        ("format", "bytes(1024 * 1024 - 1)", "1.00 MiB"),
        ("format", "bytes(142606336)", "136 MiB"),
        ("format", "bytes(null)", "\u2013"),
        ("format", "percent(0.9999)", "99 %"),
        ("format", "duration(3725)", "1 h 2 min"),
        ("format", "duration(9.96)", "10.0 s"),
        ("format", "duration(59.7)", "1 min"),
        ("format", "counted(1, 'part')", "1 part"),
        ("part_states", "rangesOf('1-3,7,x,9-8,0').join(' ')", "1,3 7,7"),
        (
            "part_states",
            "statesOf([{running: true, parts: {count: 4, stored: '1-2', in_flight: '2,3'}}]).join()",
            "2,2,1,0",
        ),
        ("part_states", "statesOf([{running: false, parts: {stored: '2', in_flight: '3'}}]).join()", "0,2"),
        ("part_states", "statesOf([{parts: {stored: '1-99999999'}}]).length", 10_000),
        ("part_states", "rangesText([2, 2, 0, 2], 2)", "1-2, 4"),
        ("parts", "Object.values(gridOf(10000, 1200)).join()", "200,6,50"),
        ("parts", "Object.values(gridOf(3, 1200)).join()", "3,22,1"),
    ],
)
def test_functions(transfers: TransfersPage, module: str, call: str, expected: str | int) -> None:
    """The functions that draw nothing return what is right, at the ends of what they take, too."""
    if transfers.page.url == "about:blank":
        transfers.page.goto(transfers.url)
    address = f"{transfers.url}/oss-transfers/static/{module}.js"
    result = transfers.page.evaluate(f"import({address!r}).then((module) => {{ with (module) return {call}; }})")
    assert result == expected
