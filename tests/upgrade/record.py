"""
Makes the recordings of a version: ``python -m pytest -n 0 tests/upgrade/record.py`` in a checkout of it.

Copy ``tests/upgrade`` there first. What is in flight is written below ``recorded/new``: give that the version's name.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss.emulator import Fault, OSSEmulator
from airflow_provider_oss.hooks.oss import OSSHook
from tests.checkpoint.airflow_edge import Supervisor
from tests.operators.conftest import Build, Run, context_of, in_dag, run, supervisor
from tests.triggers.support import events_of
from tests.upgrade import cases
from tests.upgrade.conftest import place

__all__ = ["context_of", "in_dag", "place", "run", "supervisor"]

OUT = Path(__file__).parent / "recorded" / "new"


@pytest.fixture(scope="module")
def recorded() -> Iterator[dict[str, Any]]:
    """What becomes one file for each kind."""
    found: dict[str, Any] = {}
    yield found
    OUT.mkdir(parents=True, exist_ok=True)
    for kind, content in found.items():
        (OUT / f"{kind}.json").write_text(cases.as_text(content))


def interrupt_upload(run: Run, server: OSSEmulator, build: Build, operation: str) -> None:
    """Run an upload, of which OSS takes so many parts."""
    server.faults.add(
        Fault(operation=operation, part_number=cases.STORED_PARTS + 1, status=403, code="AccessDenied", times=9)
    )
    with pytest.raises(Exception, match="AccessDenied"):
        run(build)


def in_airflow(supervisor: Supervisor) -> dict[str, Any]:
    """Return what Airflow keeps, in no form of ours."""
    return {
        "variables": {key: message.value for key, message in supervisor.variables.items()},
        "xcoms": [[*address, value] for address, value in supervisor.xcoms.items()],
        "task_state": {key: message.value for (_, key), message in supervisor.task_state.items()},
    }


def in_oss(root: Path) -> list[dict[str, Any]]:
    """Return the uploads that the server has."""
    uploads = []
    for path in sorted(root.glob("buckets/*/uploads/*/upload.json")):
        parts = [json.loads(part.read_text()) for part in sorted(path.parent.glob("?????.json"))]
        uploads.append(
            {"upload": json.loads(path.read_text()), "parts": [[part["number"], part["segment"][1]] for part in parts]}
        )
    return uploads


@pytest.mark.parametrize(("source", "store", "key"), cases.upload_cases())
def test_uploads(  # noqa: PLR0913, PLR0917 - what a case is made of
    run: Run,
    place: cases.Place,
    server: OSSEmulator,
    supervisor: Supervisor,
    recorded: dict[str, Any],
    tmp_path: Path,
    source: str,
    store: str,
    key: str,
) -> None:
    """An upload that was forbidden its third part."""
    interrupt_upload(run, server, cases.upload(source, store, key, place), cases.UPLOADS[source].operation)
    recorded.setdefault("uploads", {})[f"{source}-{store}-{key}"] = {
        "case": [source, store, key],
        "airflow": in_airflow(supervisor),
        "oss": in_oss(tmp_path / "oss"),
    }


@pytest.mark.parametrize("key", cases.KEYS)
def test_downloads(run: Run, place: cases.Place, server: OSSEmulator, recorded: dict[str, Any], key: str) -> None:
    """A download that was forbidden its third range."""
    OSSHook().put_object(cases.KEYS[key], cases.DATA)
    server.faults.add(Fault(operation="GetObject", skip=cases.STORED_PARTS, status=403, code="AccessDenied", times=99))
    with pytest.raises(Exception, match="AccessDenied"):
        run(cases.download(key, place))
    files = {path.name: path.read_bytes() for path in (place.folder / "down").iterdir()}
    [(name, content)] = [(name, content) for name, content in files.items() if len(content) > cases.PART_BYTES]
    assert content[: 2 * cases.PART_BYTES] == cases.DATA[: 2 * cases.PART_BYTES]
    recorded.setdefault("downloads", {})[key] = {
        "key": key,
        "partial": name,
        "size": len(content),
        "records": {name: text.decode() for name, text in files.items() if len(text) <= cases.PART_BYTES},
    }


@pytest.mark.parametrize("name", cases.WAITS)
def test_waits(
    in_dag: Callable[[Build], Any],
    context_of: Callable[..., Any],
    connect: Callable[..., str],
    recorded: dict[str, Any],
    name: str,
) -> None:
    """A sensor that is deferred, what Airflow stores of its trigger, and the event of that."""
    connect()
    if name == "unchanged":
        put_objects()
    sensor, context = cases.waiting(name, in_dag, context_of)
    deferred = cases.deferral(sensor, context)
    path, arguments = deferred.trigger.serialize()
    row = json.loads(json.dumps({"classpath": path, "kwargs": arguments}))
    put_objects()
    [event] = events_of(deferred.trigger)
    recorded.setdefault("waits", {})[name] = row | {
        "next_method": deferred.method_name,
        "next_kwargs": json.loads(json.dumps(deferred.kwargs or {})),
        "event": json.loads(json.dumps(event)),
        "result": getattr(sensor, deferred.method_name)(context, event=event, **(deferred.kwargs or {})),
    }


def put_objects() -> None:
    """Let there be what the sensors wait for."""
    for key in ("in/a.csv", "in/b.csv"):
        OSSHook().put_object(key, b"x")


@pytest.mark.parametrize("name", cases.RESULTS)
def test_results(run: Run, place: cases.Place, recorded: dict[str, Any], name: str) -> None:
    """What an operator returns."""
    recorded.setdefault("results", {})[name] = cases.shape(run(lambda: cases.RESULTS[name](place)))
