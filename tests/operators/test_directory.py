"""A directory as a task: what it returns, how it fails, where it keeps what is unfinished."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, BaseOperator

from airflow_provider_oss.emulator import Fault, OSSEmulator
from airflow_provider_oss.exceptions import OSSPermanentError, OSSTransientError, OSSUploadCancelled
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.limits import KIB
from airflow_provider_oss.operators.directory import OSSUploadDirectoryOperator
from tests.checkpoint.airflow_edge import Supervisor
from tests.conftest import BUCKET
from tests.operators.conftest import Build, Run
from tests.support.airflow_version import STORES
from tests.support.sources import some_bytes
from tests.support.trees import write_tree

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

PART = 100 * KIB
FILES = {"a.csv": b"12", "sub/b.csv": b"3", "sub/c.txt": b""}
NUMBERS = ("files", "sent", "skipped", "deleted", "failed", "not_tried", "left_out")


@pytest.fixture(autouse=True)
def _connected(connect: Callable[..., str], supervisor: Supervisor) -> None:
    connect()
    supervisor.task_ids = ("notify", "upload")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A small tree."""
    return write_tree(tmp_path / "tree", FILES)


def build(directory: Path | str, **arguments: Any) -> Build:
    """Return what makes the operator, with parts of 100 KiB."""
    usual = {"task_id": "upload", "directory": directory, "key": "base/{{ ds }}", "part_size": PART}
    return lambda: OSSUploadDirectoryOperator(**usual | arguments)


def keys() -> list[str]:
    return [item.ref.key for item in OSSHook().list_objects()]


def numbers(result: dict[str, Any]) -> dict[str, int]:
    """Return the numbers that are not zero."""
    return {name: result[name] for name in NUMBERS if result[name]}


def test_a_directory(run: Run, directory: Path) -> None:
    """The tree is stored under the rendered prefix; the result is plain data; a second run sends nothing."""
    result = run(build(directory))

    assert keys() == [f"base/2026-11-21/{name}" for name in FILES]
    assert json.loads(json.dumps(result)) == result
    assert numbers(result) == {"files": 3, "sent": 3}
    assert (result["size"], result["sent_size"], result["bytes_sent"], result["failures"]) == (3, 3, 3, [])
    assert result["uri"] == f"oss://{BUCKET}/base/2026-11-21/"
    assert (result["directory"], result["prefix"], result["dry_run"]) == (str(directory), "base/2026-11-21/", False)
    assert numbers(run(build(directory))) == {"files": 3, "skipped": 3}


def test_templates(run: Run, directory: Path) -> None:
    """Directory, prefix, globs and the treatment of symlinks are rendered, lists of globs too."""
    (directory / "link").symlink_to("a.csv")
    result = run(
        build(
            str(directory).replace("tree", "{{ 'tree' }}"),
            include=["**/*.{{ params.kind }}", "link"],
            exclude="{{ 's' ~ 'ub' }}/**",
            symlinks="{{ 'skip' }}",
            parallel="{{ 2 }}",
        )
    )
    assert numbers(result) == {"files": 1, "sent": 1, "left_out": 1}
    assert keys() == ["base/2026-11-21/a.csv"]


def test_deleting_and_dry_run(run: Run, directory: Path) -> None:
    """A dry run tells what the real one then does."""
    run(build(directory))
    (directory / "a.csv").unlink()
    (directory / "new").write_bytes(b"new")
    before = keys()

    told = run(build(directory, delete_removed=True, dry_run=True))
    assert (keys(), told["dry_run"]) == (before, True)
    assert (told["would_send"], told["would_delete"]) == (["new"], ["a.csv"])

    done = run(build(directory, delete_removed=True))
    assert numbers(done) == numbers(told) == {"files": 3, "sent": 1, "skipped": 2, "deleted": 1}
    assert keys() == [f"base/2026-11-21/{name}" for name in ("new", "sub/b.csv", "sub/c.txt")]


def test_dry_run_of_airflow_still_works(directory: Path) -> None:
    """The argument does not hide the method of that name, which Airflow calls for ``tasks test --dry-run``."""
    operator = build(directory, dry_run=True)()
    if hasattr(BaseOperator, "dry_run"):  # that of Airflow 3.0 has no such method
        operator.dry_run()
    assert not isinstance(getattr(operator, "dry_run", None), bool)


def test_a_failure_that_may_pass(run: Run, directory: Path, server: OSSEmulator, supervisor: Supervisor) -> None:
    """The rest is stored, the task fails so that Airflow retries it, and the result is in XCom all the same."""
    server.faults.add(Fault(key="base/2026-11-21/a.csv", status=403, code="SecurityTokenExpired"))
    with pytest.raises(
        OSSTransientError, match=r"1 of 3 files .* were not stored below oss://exports/base/2026-11-21/"
    ):
        run(build(directory))
    assert keys() == [f"base/2026-11-21/{name}" for name in ("sub/b.csv", "sub/c.txt")]
    [pushed] = [value for key, value in supervisor.xcoms.items() if "return_value" in key]
    assert numbers(pushed) == {"files": 3, "sent": 2, "failed": 1}
    assert pushed["failures"][0]["file"] == "a.csv"


def test_a_failure_for_good(run: Run, directory: Path, server: OSSEmulator) -> None:
    """When no retry can mend any failure Airflow is told not to retry."""
    server.faults.add(Fault(key="base/2026-11-21/a.csv", status=403, code="AccessDenied"))
    with pytest.raises(AirflowFailException, match=r"a\.csv: OSSAccessDenied") as caught:
        run(build(directory))
    assert isinstance(caught.value.__cause__, OSSPermanentError)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"directory": "/missing"}, "OSSSourceMissing: directory='/missing' cannot be read"),
        ({"include": "/a"}, "OSSInvalidArgument: include='/a' can match nothing"),
        ({"symlinks": "keep"}, "OSSInvalidArgument: symlinks='keep'"),
        ({"key": "", "delete_removed": True}, "OSSInvalidArgument: delete_removed=True with the whole bucket"),
        ({"part_size": "many"}, "part_size='many' is no whole number"),
    ],
)
def test_what_cannot_work(
    run: Run, directory: Path, server: OSSEmulator, arguments: dict[str, Any], reason: str
) -> None:
    """It fails the task at once, and nothing is asked of OSS."""
    with pytest.raises(AirflowFailException, match=reason):
        run(build(**{"directory": directory} | arguments))
    assert not server.requests


@pytest.mark.parametrize("checkpoint", STORES)
def test_large_files_are_continued(
    run: Run, directory: Path, server: OSSEmulator, supervisor: Supervisor, checkpoint: str
) -> None:
    """Two large files that fail in the middle are both continued by the next attempt, whatever the store."""
    write_tree(directory, {name: some_bytes(3 * PART, seed) for seed, name in enumerate(("x", "y"))})
    for name in ("x", "y"):
        key = f"base/2026-11-21/{name}"
        server.faults.add(Fault(operation="UploadPart", key=key, part_number=3, status=403, code="AccessDenied"))
    with pytest.raises(AirflowFailException, match="2 of 5 files"):
        run(build(directory, checkpoint=checkpoint, parallel=1))
    assert len(list(OSSHook().list_multipart_uploads())) == 2
    server.faults.clear()
    server.forget_requests()

    result = run(build(directory, checkpoint=checkpoint))

    sent = [request.part_number for request in server.requests if request.operation == "UploadPart"]
    assert sent == [3, 3]
    assert (result["bytes_sent"], result["bytes_verified"]) == (2 * PART, 4 * PART)
    assert list(OSSHook().list_multipart_uploads()) == []
    assert [address for address in supervisor.xcoms if address[-1].startswith("oss_upload")] == []
    supervisor.forget_xcoms()
    assert supervisor.holds_nothing()


def test_mapping(context_of: Callable[[Any], Context], directory: Path) -> None:
    """It can be mapped over directories, the switches among the constant arguments."""
    with DAG("export", schedule=None):
        expanded = OSSUploadDirectoryOperator.partial(task_id="upload", key="base", dry_run=True).expand(
            directory=[str(directory), str(directory / "sub")]
        )
    instance = expanded.unmap({"directory": str(directory / "sub")})
    context = context_of(instance)
    instance.render_template_fields(context)
    assert numbers(instance.execute(context)) == {"files": 2, "sent": 2}
    assert keys() == []


def test_on_kill(in_dag: Callable[[Build], Any], context_of: Callable[[Any], Context], directory: Path) -> None:
    """A task that is told to stop begins nothing more."""
    seen: list[float] = []

    def progress(fraction: float, *_: object) -> None:
        seen.append(fraction)
        operator.on_kill()

    operator = in_dag(build(directory, progress=progress, parallel=1))
    context = context_of(operator)
    operator.render_template_fields(context)
    with pytest.raises(OSSUploadCancelled):
        operator.execute(context)
    assert len(seen) == 1
    assert len(keys()) < 3
