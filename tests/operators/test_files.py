"""Files that are named one by one as a task: what it returns, how it fails, in batches."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException

from airflow_provider_oss.emulator import Fault, OSSEmulator
from airflow_provider_oss.exceptions import OSSTransientError, OSSUploadCancelled
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.limits import KIB
from airflow_provider_oss.operators.files import OSSUploadFilesOperator
from tests.checkpoint.airflow_edge import Supervisor
from tests.conftest import BUCKET
from tests.operators.conftest import REFUSED, Build, Run
from tests.support.airflow_version import STORES
from tests.support.sources import some_bytes
from tests.support.trees import write_tree

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

PART = 100 * KIB
FILES = {"a.csv": b"12", "sub/a.csv": b"3", "empty": b""}
NUMBERS = ("files", "sent", "skipped", "failed", "not_tried")


@pytest.fixture(autouse=True)
def _connected(connect: Callable[..., str], supervisor: Supervisor) -> None:
    connect()
    supervisor.task_ids = ("notify", "upload")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the files are."""
    return write_tree(tmp_path / "tree", FILES)


@pytest.fixture
def files(folder: Path) -> dict[str, str]:
    """Their paths, by their names."""
    return {name: str(folder / name) for name in FILES}


def build(files: Any, **arguments: Any) -> Build:
    """Return what makes the operator, with parts of 100 KiB."""
    usual = {"task_id": "upload", "files": files, "key": "base/{{ ds }}", "part_size": PART}
    return lambda: OSSUploadFilesOperator(**usual | arguments)


def keys() -> list[str]:
    return [item.ref.key for item in OSSHook().list_objects()]


def numbers(result: dict[str, Any]) -> dict[str, int]:
    """Return the numbers that are not zero."""
    return {name: result[name] for name in NUMBERS if result[name]}


def test_named_files(run: Run, files: dict[str, str]) -> None:
    """Each is stored under the rendered prefix and its name; the result is plain data; a second run sends nothing."""
    result = run(build(files))

    assert keys() == [f"base/2026-11-21/{name}" for name in sorted(FILES)]
    assert json.loads(json.dumps(result)) == result
    assert numbers(result) == {"files": 3, "sent": 3}
    assert (result["size"], result["sent_size"], result["bytes_sent"], result["failures"]) == (3, 3, 3, [])
    assert (result["uri"], result["prefix"]) == (f"oss://{BUCKET}/base/2026-11-21/", "base/2026-11-21/")
    assert numbers(run(build(files))) == {"files": 3, "skipped": 3}


def test_what_else_is_there_does_not_matter(run: Run, files: dict[str, str], server: OSSEmulator) -> None:
    """Nothing is listed, however much is below the prefix: OSS is asked for each file, or for none."""
    run(build(files))
    assert {one.operation for one in server.requests} == {"HeadObject", "PutObject"}
    server.forget_requests()
    assert numbers(run(build(files, skip_unchanged=False))) == {"files": 3, "sent": 3}
    assert {one.operation for one in server.requests} == {"PutObject"}


def test_a_list_of_paths(run: Run, folder: Path) -> None:
    """Their last components are their names."""
    run(build([str(folder / "sub/a.csv"), folder / "empty"]))
    assert keys() == ["base/2026-11-21/a.csv", "base/2026-11-21/empty"]


def test_templates(run: Run, folder: Path) -> None:
    """Paths are rendered, in a mapping and in a list."""
    path = str(folder).replace("tree", "{{ 'tree' }}") + "/a.{{ params.kind }}"
    for given in ({"a.csv": path}, [path], {"a.csv": Path(path)}):
        assert run(build(given))["files"] == 1
    assert keys() == ["base/2026-11-21/a.csv"]


@pytest.mark.parametrize("given", [{}, []])
def test_no_files(run: Run, server: OSSEmulator, given: Any) -> None:
    """An empty batch is no error."""
    assert run(build(given))["files"] == 0
    assert server.requests == ()


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (["/x/a", "/y/a"], "'/x/a' and '/y/a' would both become 'a', nothing was sent: give a mapping"),
        (["/x/"], "has the name '', which is none of a file"),
        ({"": "/x"}, "has the name '', which is none of a file"),
        ({"a/": "/x"}, "has the name 'a/', which is none of a file"),
        ({"a": "/x\0"}, "has a NUL character"),
        ("/x/a", "files.* is a str: give a mapping of names to values or a list"),
        ({"a": 5}, r"files\['a'\] is an int: give text or a path"),
        ([5], "is an int: give text or a path"),
    ],
)
def test_what_cannot_work(run: Run, server: OSSEmulator, given: Any, reason: str) -> None:
    """It fails for good, and nothing is asked of OSS."""
    with pytest.raises(REFUSED, match=reason):
        run(build(given))
    assert not server.requests


def test_one_that_fails_does_not_stop_the_others(
    run: Run, files: dict[str, str], folder: Path, supervisor: Supervisor
) -> None:
    """What is missing, is no file, may not be a key: each is told, for good; and the result is in XCom."""
    odd = {
        "missing": str(folder / "missing"),
        "folder": str(folder),
        "\udcff": files["a.csv"],
        "k" * 1100: files["a.csv"],
    }
    with pytest.raises(
        AirflowFailException, match=r"4 of 7 files were not stored below oss://exports/base/.*others were"
    ):
        run(build(files | odd))
    assert len(keys()) == 3
    [pushed] = [value for key, value in supervisor.xcoms.items() if "return_value" in key]
    assert numbers(pushed) == {"files": 7, "sent": 3, "failed": 4}
    errors = {one["file"]: one["error"].partition(":")[0] for one in pushed["failures"]}
    assert errors.pop("missing") == "OSSSourceMissing"
    assert errors.pop("folder") == "OSSInvalidSource"
    assert set(errors.values()) == {"OSSInvalidArgument"}


def test_a_failure_that_may_pass(run: Run, files: dict[str, str], server: OSSEmulator) -> None:
    """Airflow retries, and the next attempt sends what is missing."""
    server.faults.add(Fault(key="base/2026-11-21/a.csv", status=403, code="SecurityTokenExpired"))
    with pytest.raises(OSSTransientError, match="1 of 3 files"):
        run(build(files))
    server.faults.clear()
    assert numbers(run(build(files))) == {"files": 3, "sent": 1, "skipped": 2}


@pytest.mark.parametrize("checkpoint", STORES)
def test_large_files_are_continued(
    run: Run, folder: Path, server: OSSEmulator, supervisor: Supervisor, checkpoint: str
) -> None:
    """Two large files that fail in the middle are both continued; one that was stored is not sent again."""
    write_tree(folder, {name: some_bytes(3 * PART, seed) for seed, name in enumerate(("x", "y", "z"))})
    given = [folder / name for name in ("x", "y", "z")]
    for name in ("x", "y"):
        key = f"base/2026-11-21/{name}"
        server.faults.add(Fault(operation="UploadPart", key=key, part_number=3, status=403, code="AccessDenied"))
    with pytest.raises(AirflowFailException, match="2 of 3 files"):
        run(build(given, checkpoint=checkpoint, parallel=1))
    server.faults.clear()
    server.forget_requests()

    result = run(build(given, checkpoint=checkpoint))

    assert [one.part_number for one in server.requests if one.operation == "UploadPart"] == [3, 3]
    assert (result["bytes_sent"], result["bytes_verified"], result["skipped"]) == (2 * PART, 4 * PART, 1)
    assert list(OSSHook().list_multipart_uploads()) == []
    supervisor.forget_xcoms()
    assert supervisor.holds_nothing()


def test_batches(context_of: Callable[[Any], Context], folder: Path) -> None:
    """It is mapped over lists of files; each instance can show which by a template."""
    batches = [{"a.csv": str(folder / "a.csv")}, {"sub/a.csv": str(folder / "sub/a.csv"), "e": str(folder / "empty")}]
    with DAG("export", schedule=None):
        expanded = OSSUploadFilesOperator.partial(
            task_id="upload", key="base", map_index_template="{{ task.files | first }}"
        ).expand(files=batches)
    shown = []
    for batch in batches:
        instance = expanded.unmap({"files": batch})
        context = context_of(instance)
        instance.render_template_fields(context)
        assert instance.execute(context)["sent"] == len(batch)
        shown.append(instance.get_template_env().from_string(str(instance.map_index_template)).render(context))
    assert shown == ["a.csv", "sub/a.csv"]
    assert keys() == ["base/a.csv", "base/e", "base/sub/a.csv"]


def test_on_kill(in_dag: Callable[[Build], Any], context_of: Callable[[Any], Context], files: dict[str, str]) -> None:
    """A task that is told to stop begins nothing more."""

    def progress(*_: object) -> None:
        operator.on_kill()

    operator = in_dag(build(files, progress=progress, parallel=1))
    context = context_of(operator)
    operator.render_template_fields(context)
    with pytest.raises(OSSUploadCancelled):
        operator.execute(context)
    assert len(keys()) < len(files)


def test_a_path_that_is_no_utf_8(run: Run, tmp_path: Path) -> None:
    """The name is the user's: the path may be what it likes."""
    path = tmp_path / os.fsdecode(b"\xff.csv")
    path.write_bytes(b"data")
    assert run(build({"a.csv": path}))["sent"] == 1
