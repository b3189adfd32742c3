"""Real transfers of a real Airflow, watched in its UI by a user who may look and no more."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from airflow_provider_oss.emulator import Fault, OSSEmulator
from airflow_provider_oss.limits import MIB
from tests.browser.conftest import TakePicture
from tests.browser.transfers import TransfersPage
from tests.integration.conftest import random_file
from tests.support.airflow_home import DATABASE_NAME
from tests.support.browser import PATIENCE_MILLISECONDS

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.watched import WatchedAirflow

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("transfers-page")]

expect.set_options(timeout=PATIENCE_MILLISECONDS)

SLOW = 0.25 * MIB
"""Bytes per second of a connection: more than two records are written meanwhile."""

OTHERS = ("watched_stream", "watched_directory", "watched_ranges", "watched_export")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is uploaded is here."""
    return tmp_path_factory.mktemp("sources")


@pytest.fixture(scope="module")
def runs(watched: WatchedAirflow, oss: OSSEmulator, folder: Path) -> dict[str, str]:
    """The ids of the runs that were started, by DAG; all are slow."""
    oss.faults.add(
        Fault(operation="UploadPart", rate_bytes_per_second=SLOW), Fault(operation="PutObject", latency_seconds=0.8)
    )
    for number in range(60):
        random_file(folder / "site" / f"{number:02}.html", MIB // 4)
    ranges = random_file(folder / "ranges.bin", 12 * MIB)
    sources = {"watched_directory": folder / "site", "watched_ranges": ranges}
    return {dag_id: start(watched, dag_id, sources.get(dag_id)) for dag_id in OTHERS}


def start(watched: WatchedAirflow, dag_id: str, source: Path | None) -> str:
    """Start a run and return its id."""
    watched.wait_for_dag(dag_id)
    return watched.trigger(dag_id, {"source": str(source)})


@pytest.fixture
def transfers(watched: WatchedAirflow, page: Page) -> TransfersPage:
    """The page as a viewer sees it."""
    watched.log_in_as("viewer", page.context)
    page.set_viewport_size({"width": 1280, "height": 1000})
    return TransfersPage(page, watched.url)


def stored_parts(transfers: TransfersPage) -> int:
    """Return how many parts the map shows as stored."""
    found = re.findall(r"([\d,]+) stored", transfers.map_of_parts().get_attribute("aria-label") or "")
    return sum(int(count.replace(",", "")) for count in found)


def test_upload_is_watched_killed_and_watched_resuming(
    transfers: TransfersPage,
    watched: WatchedAirflow,
    oss: OSSEmulator,
    folder: Path,
    runs: dict[str, str],
    take_picture: TakePicture,
) -> None:
    """From 0 to 100 %, without a reload: what was stored when the task was killed is not sent again."""
    transfers.visit()
    expect(transfers.row("today.bin")).to_contain_text("so far")
    expect(transfers.row("today.bin")).not_to_contain_text("%")
    runs["watched_upload"] = start(watched, "watched_upload", random_file(folder / "orders.bin", 32 * MIB))
    transfers.root.get_by_role("link", name="orders.bin", exact=True).click()
    progress = transfers.root.get_by_role("progressbar", name="Progress")
    expect(progress).to_have_attribute("aria-valuenow", "0")
    expect(progress).to_have_attribute("aria-valuenow", re.compile("[1-9][0-9]?"))
    expect(transfers.map_of_parts()).to_have_attribute("aria-label", re.compile(r"Map of 32 parts: [1-9]\d? stored"))
    expect(transfers.root).to_contain_text(re.compile(r"Left\d"))
    before = stored_parts(transfers)

    watched.kill_task("watched_upload", runs["watched_upload"], "upload")
    expect(transfers.section("Attempts").get_by_role("row").nth(1)).to_contain_text("killed")
    expect(transfers.root).to_contain_text("MiB not sent again")
    take_picture("transfers-resumed", transfers.page)
    oss.faults.clear()
    expect(progress).to_have_attribute("aria-valuenow", "100")
    expect(transfers.root.locator(".ot-head")).to_contain_text("succeeded")
    saved = re.search(r"([\d.]+) MiB not sent again", transfers.root.inner_text())
    assert saved is not None
    assert float(saved[1]) >= before
    assert watched.wait_for_run("watched_upload", runs["watched_upload"]) == "success"


def test_other_kinds_are_listed(transfers: TransfersPage, watched: WatchedAirflow, runs: dict[str, str]) -> None:
    """A stream, a directory, an export and the ranges of a mapped task stay listed when they have ended."""
    for dag_id in OTHERS:
        assert watched.wait_for_run(dag_id, runs[dag_id]) == "success"
    transfers.visit()
    expect(transfers.row("today.bin")).to_contain_text("100 %, 24.0 MiB")
    expect(transfers.row("site/")).to_contain_text("60 of 60 files")
    expect(transfers.row("orders.csv")).to_contain_text("succeeded")
    expect(transfers.row("ranges.bin")).to_have_count(2)
    transfers.row("[1]").get_by_role("link", name="ranges.bin").click()
    expect(transfers.map_of_parts()).to_have_attribute("aria-label", "Map of 12 parts: 12 stored")
    transfers.root.get_by_text("Result", exact=True).click()
    expect(transfers.root).to_contain_text("bytes_sent")


def test_task_has_a_link_to_its_transfer(transfers: TransfersPage, runs: dict[str, str]) -> None:
    """From the task's own page, the extra link leads to its transfer, also below a sub-path."""
    run_id = runs["watched_upload"]
    transfers.page.goto(f"{transfers.url}/dags/watched_upload/runs/{run_id}/tasks/upload/details")
    link = transfers.page.get_by_role("link", name="OSS transfer", exact=True)
    transfers.page.goto(link.evaluate("link => link.href"))  # some versions open another tab for it
    expect(transfers.root.get_by_role("heading", name="oss://exports/dumps/orders.bin")).to_be_visible()
    expect(transfers.section("Attempts").get_by_role("row")).to_have_count(3)


def test_anonymous_sees_nothing(transfers: TransfersPage, runs: dict[str, str]) -> None:
    """Who is not logged in is sent to the login, and no route of the page answers."""
    assert runs
    transfers.page.context.clear_cookies()
    transfers.page.goto(transfers.address)
    transfers.page.wait_for_url("**/auth/login**")
    answer = transfers.page.request.get(f"{transfers.url}/oss-transfers/api/transfers")
    assert (answer.status, "orders.bin" in answer.text()) == (401, False)


def test_hundreds_stay_usable(
    transfers: TransfersPage, watched: WatchedAirflow, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of 50 running and 200 finished transfers the running ones are seen first, and the others a page further."""
    from tests.ui.rows import RECORD, Rows  # noqa: PLC0415 - of Airflow 3.1 and later

    with Rows(watched.home / DATABASE_NAME) as rows:
        for number in range(250):
            state = "running" if number < 50 else "success"
            ti = rows.transfer("crowd", f"run-{number:03}", state=state)
            rows.xcom(ti, "oss_transfer", RECORD | {"target": f"oss://exports/crowd/{number:03}.bin"})
        rows.commit()
    transfers.page.goto(transfers.url)
    begun = time.monotonic()
    transfers.visit(dag_id="crowd")
    expect(transfers.row("000.bin")).to_be_visible()
    with capsys.disabled():
        print(f"\n250 transfers: first picture {time.monotonic() - begun:.2f} s after the page was asked for")  # noqa: T201 - for the reader
    expect(transfers.root).to_contain_text("50 running")
    expect(transfers.root.get_by_role("navigation", name="Pages of the list")).to_contain_text("1 to 50 of 250")
    transfers.root.get_by_role("link", name="Older").click()
    expect(transfers.root.get_by_role("navigation", name="Pages of the list")).to_contain_text("51 to 100 of 250")
    expect(transfers.row("249.bin")).to_be_visible()
