"""A directory by mapped tasks in a real Airflow: each shard is retried, cleared and marked by itself."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss.emulator import Fault
from airflow_provider_oss.limits import MIB
from tests.integration.conftest import random_file
from tests.integration.uploading import RunningUpload, Uploads
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("airflow")]

DAG_ID = "oss_mapped_directory"
PLAN, SEND, FINISH = (f"upload_directory.{name}" for name in ("plan", "send", "finish"))
SMALL = 400
PART_SIZE = 8 * MIB


@pytest.fixture
def tree(folder: Path, request: pytest.FixtureRequest) -> Path:
    """400 small files in 20 directories, with names on both sides of a slash, and a large one in the middle."""
    root = folder / str(request.node.name)
    for number in range(SMALL):
        path = root / f"d{number % 20:02}{'-x' if number % 2 else ''}" / f"{number:03}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%d" % number)
    random_file(root / "d10" / "large.bin", 4 * PART_SIZE)
    return root


def start(uploads: Uploads, tree: Path, prefix: str) -> str:
    return uploads.trigger(DAG_ID, directory=str(tree), prefix=prefix)


def result(uploads: Uploads, run_id: str) -> dict[str, Any]:
    value: dict[str, Any] = uploads.airflow.xcom(DAG_ID, run_id, FINISH)
    return value


def names_below(uploads: Uploads, prefix: str) -> set[str]:
    found: set[str] = set()
    marker = ""
    while True:
        page = uploads.bucket.list_objects(prefix=f"{prefix}/", marker=marker, max_keys=1000)
        found |= {one.key.removeprefix(f"{prefix}/") for one in page.object_list}
        if not page.is_truncated:
            return found
        marker = page.next_marker


def names_of(tree: Path) -> set[str]:
    return {str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file()}


def states(uploads: Uploads, run_id: str, task_id: str) -> list[str | None]:
    rows = uploads.airflow.task_instances(DAG_ID, run_id)
    return [row.state for row in rows if row.task_id == task_id]


def test_the_example(uploads: Uploads, tree: Path) -> None:
    """Each shard is stored by a task of its own with a name that people read; what goes is deleted by the next run."""
    uploads.server.forget_requests()
    run_id = start(uploads, tree, "mapped/example")
    assert uploads.airflow.wait_for_run(DAG_ID, run_id) == "success"

    assert names_below(uploads, "mapped/example") == names_of(tree)
    uploads.assert_equal("mapped/example/d10/large.bin", tree / "d10" / "large.bin")
    told = result(uploads, run_id)
    assert (told["files"], told["sent"], told["deleted"]) == (SMALL + 1, SMALL + 1, 0)
    plan = uploads.airflow.xcom(DAG_ID, run_id, PLAN)
    assert len(plan) == 4
    assert [shard["after"] for shard in plan] == [None, *(shard["until"] for shard in plan[:-1])]
    shown = uploads.airflow.database.names_of_mapped(DAG_ID, run_id, SEND)
    assert [name and name.partition(" to ")[0] for name in shown] == [
        shard["after"] or "the beginning" for shard in plan
    ]
    assert all(name and name.endswith(" files") for name in shown)
    put = Counter(one.key for one in uploads.server.requests if one.operation == "PutObject")
    assert len(put) == SMALL
    assert set(put.values()) == {1}

    (tree / "d00" / "000.csv").unlink()
    (tree / "d03-x" / "new.csv").write_bytes(b"new")
    again = start(uploads, tree, "mapped/example")
    assert uploads.airflow.wait_for_run(DAG_ID, again) == "success"
    told = result(uploads, again)
    assert (told["sent"], told["skipped"], told["deleted"]) == (1, SMALL, 1)
    assert names_below(uploads, "mapped/example") == names_of(tree)
    uploads.assert_nothing_left()


def says_what_to_clear(uploads: Uploads, run_id: str) -> bool | None:
    """Whether an attempt of the last task has said it; None while none has."""
    for number, _ in enumerate(uploads.airflow.attempts(DAG_ID, run_id, FINISH), 1):
        with suppress(FileNotFoundError):  # it has not begun
            if "clear the task with map index 0" in uploads.airflow.task_log(DAG_ID, run_id, FINISH, number):
                return True
    return None


def test_what_may_happen_to_a_shard(uploads: Uploads, tree: Path) -> None:
    """
    A task that is killed continues; one that fails keeps the end from coming; marked as success, it is missed there.

    Cleared, it sends what is missing, and nothing else is sent again; so it is with the whole group.
    """
    prefix = "mapped/rules"
    bad = min(names_of(tree))
    uploads.server.faults.add(Fault(operation="PutObject", key=f"{prefix}/{bad}", status=403, code="AccessDenied"))
    uploads.slow_down(f"{prefix}/d10/large.bin", 1.0, after_parts=1)  # the other three take eight seconds
    uploads.server.forget_requests()
    run_id = start(uploads, tree, prefix)
    uploads.server.wait_for_requests(lambda one: one.operation == "UploadPart" and one.status == 200, 120)
    index = next(
        row.map_index
        for row in uploads.airflow.task_instances(DAG_ID, run_id)
        if row.task_id == SEND and row.state == "running" and row.map_index > 0
    )
    large = RunningUpload(uploads, DAG_ID, run_id, tree / "d10" / "large.bin", f"{prefix}/d10/large.bin", SEND, index)
    large.kill()
    assert uploads.airflow.wait_for_run(DAG_ID, run_id) == "failed"
    assert (states(uploads, run_id, SEND)[0], states(uploads, run_id, FINISH)) == ("failed", ["upstream_failed"])
    assert large.attempts() == ["failed", "success"]
    received = sum(request.bytes_received for request in uploads.part_requests(large.key))
    assert received <= large.file.stat().st_size + 6 * PART_SIZE

    # Marked as success without its result: it is in XCom, as it failed, and the end says that a file is missing. The
    # mark alone may set the last task going, and the clear ends that attempt
    uploads.airflow.set_task_state(DAG_ID, run_id, SEND, "success", 0)
    uploads.airflow.clear(DAG_ID, run_id, FINISH)
    wait_until(
        lambda: says_what_to_clear(uploads, run_id),
        120,
        "what is to be cleared",
        lambda: str(states(uploads, run_id, FINISH)),
    )
    assert uploads.airflow.wait_for_run(DAG_ID, run_id) == "failed"

    uploads.server.faults.clear()
    uploads.server.forget_requests()
    uploads.airflow.clear(DAG_ID, run_id, SEND, 0)
    uploads.airflow.clear(DAG_ID, run_id, FINISH)
    assert uploads.airflow.wait_for_run(DAG_ID, run_id) == "success"
    assert [one.key for one in uploads.server.requests if one.operation == "PutObject"] == [f"{prefix}/{bad}"]
    assert result(uploads, run_id)["files"] == SMALL + 1
    assert names_below(uploads, prefix) == names_of(tree)

    before = uploads.airflow.xcom(DAG_ID, run_id, PLAN)
    for task_id in (PLAN, SEND, FINISH):
        uploads.airflow.clear(DAG_ID, run_id, task_id)
    assert uploads.airflow.wait_for_run(DAG_ID, run_id) == "success"
    assert uploads.airflow.xcom(DAG_ID, run_id, PLAN) == before
    assert result(uploads, run_id)["skipped"] == SMALL + 1
    uploads.assert_nothing_left()
