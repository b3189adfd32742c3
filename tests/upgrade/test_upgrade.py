"""A deployment that upgrades, or goes back: what an earlier version left in flight is continued as if it were ours."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import BaseOperator, Variable, XCom

from airflow_provider_oss.emulator import OSSEmulator
from airflow_provider_oss.emulator.state.records import BucketRecord, PartRecord, upload_from_json
from airflow_provider_oss.emulator.state.store import Store
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.operators.arguments import declared_by
from tests.checkpoint.airflow_edge import Supervisor, task_state_accessor
from tests.conftest import BUCKET, TINY_PARTS
from tests.operators.conftest import Build, Run
from tests.support.airflow_version import HAS_TASK_STATE
from tests.support.discovery import operators
from tests.triggers.support import events_of
from tests.upgrade import cases
from tests.upgrade.record import in_airflow, interrupt_upload

if TYPE_CHECKING:
    from airflow.triggers.base import BaseTrigger

Recording = dict[str, Any]

HERE = Path(__file__).parent / "recorded"


def recordings(kind: str) -> pytest.MarkDecorator:
    """Return a mark that runs a test with each recording of that kind, of every version that has been recorded."""
    found = [
        pytest.param(content, id=f"{version.name}-{name}")
        for version in sorted(HERE.iterdir())
        for name, content in json.loads((version / f"{kind}.json").read_text()).items()
        if HAS_TASK_STATE or "task_state" not in name
    ]
    return pytest.mark.parametrize("recording", found)


@pytest.fixture
def in_flight(tmp_path: Path, recording: Recording) -> None:
    """The uploads of the recording, which the server has from its beginning."""
    with Store(tmp_path / "oss") as store:
        store.put_bucket(BucketRecord(BUCKET, 1.0))
        for found in recording["oss"]:
            plant_upload(store, found, cases.UPLOADS[recording["case"][0]].content)


@pytest.fixture
def server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[OSSEmulator]:
    """The local OSS server, after what is in flight has come to it."""
    if "in_flight" in request.fixturenames:
        request.getfixturevalue("in_flight")
    with OSSEmulator(root=tmp_path / "oss", buckets=(BUCKET, "other"), limits=TINY_PARTS) as emulator:
        yield emulator


def plant_upload(store: Store, found: Recording, content: bytes) -> None:
    """Let the server have an upload, and parts of it with this content."""
    record = upload_from_json(found["upload"])
    store.create_upload(record)
    upload = store.upload(record.bucket, record.key, record.upload_id)
    assert upload is not None
    offset = 0
    for number, size in found["parts"]:
        writer = store.blobs.create()
        writer.write([content[offset : offset + size]])
        body = writer.finish()
        store.put_part(upload, PartRecord(number, body.segment, body.etag, body.crc64, record.initiated_at))
        offset += size


def plant_checkpoint(kept: Recording) -> None:
    """Let Airflow keep what the other version has given it."""
    for key, value in kept["variables"].items():
        Variable.set(key, value)
    for dag_id, run_id, task_id, _, key, value in kept["xcoms"]:
        XCom.set(key=key, value=value, dag_id=dag_id, run_id=run_id, task_id=task_id)
    for key, value in kept["task_state"].items():
        task_state_accessor().set(key, value, retention=timedelta(days=1))


def read(key: str) -> bytes:
    with OSSHook().get_object(key) as body:
        return body.read()


@recordings("uploads")
@pytest.mark.usefixtures("in_flight")
def test_uploads(
    run: Run, place: cases.Place, server: OSSEmulator, supervisor: Supervisor, recording: Recording
) -> None:
    """An upload goes on: what OSS has of it is compared, not sent again; the object is right, and nothing is left."""
    source, store, key = recording["case"]
    case = cases.UPLOADS[source]
    plant_checkpoint(recording["airflow"])
    result = run(cases.upload(source, store, key, place))
    sent = [found.part_number for found in server.requests if (found.operation, found.status) == (case.operation, 200)]
    assert sent == list(range(cases.STORED_PARTS + 1, -(-len(case.content) // cases.PART_BYTES) + 1))
    assert read(cases.KEYS[key]) == case.content
    assert result["resumed"]
    assert supervisor.holds_nothing()
    assert list(OSSHook().list_multipart_uploads()) == []


def form(kept: Recording) -> dict[tuple[str, ...], Any]:
    """Return what a checkpoint has that the other version decides by, wherever Airflow keeps it."""
    records: dict[tuple[str, ...], Any]
    records = {("variable", key): json.loads(value) for key, value in kept["variables"].items()}
    records |= {tuple(address): value for *address, value in kept["xcoms"]}
    records |= {("task_state", key): value for key, value in kept["task_state"].items()}
    records = {place: record for place, record in records.items() if not place[-1].startswith("oss_transfer")}
    for record in records.values():
        for name in ("upload_id", "created_at", "updated_at"):
            record[name] = type(record[name]).__name__
        record["source"] |= dict.fromkeys(("name", "modified_at"))
        for name in ("seal", "proof", "transfer"):  # of later versions, and ignored by this one
            record.pop(name, None)
    return records


@recordings("uploads")
def test_going_back(
    run: Run, place: cases.Place, server: OSSEmulator, supervisor: Supervisor, recording: Recording
) -> None:
    """What this version leaves in flight is in the other's place and form: an old worker would continue it."""
    source, store, key = recording["case"]
    interrupt_upload(run, server, cases.upload(source, store, key, place), cases.UPLOADS[source].operation)
    assert form(in_airflow(supervisor)) == form(recording["airflow"])


@recordings("downloads")
def test_downloads(run: Run, place: cases.Place, server: OSSEmulator, recording: Recording) -> None:
    """A download goes on: only the missing ranges are asked for, and its record goes."""
    OSSHook().put_object(cases.KEYS[recording["key"]], cases.DATA)
    arrived = cases.STORED_PARTS * cases.PART_BYTES
    down = place.folder / "down"
    files = {name: text.encode() for name, text in recording["records"].items()}
    files[recording["partial"]] = cases.DATA[:arrived] + bytes(recording["size"] - arrived)
    for name, content in files.items():
        with open(down / name, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(content)
    server.forget_requests()
    result = run(cases.download(recording["key"], place))
    asked = [found.range for found in server.requests if found.operation == "GetObject"]
    assert asked == ["bytes=204800-307199", "bytes=307200-409592"]
    assert (down / "got.bin").read_bytes() == cases.DATA
    assert result["resumed"]
    assert [path.name for path in down.iterdir()] == ["got.bin"]


def trigger_of(row: Recording) -> BaseTrigger:
    module, _, name = row["classpath"].rpartition(".")
    trigger: BaseTrigger = getattr(import_module(module), name)(**row["kwargs"])
    return trigger


def put_objects() -> None:
    for key in ("in/a.csv", "in/b.csv"):
        OSSHook().put_object(key, b"x")


@recordings("waits")
def test_waits(
    in_dag: Callable[[Build], Any],
    context_of: Callable[[BaseOperator], Any],
    connect: Callable[..., str],
    recording: Recording,
    request: pytest.FixtureRequest,
) -> None:
    """A trigger's row becomes a trigger that fires as it did; the sensor takes its event, and that of the old one."""
    connect()
    put_objects()
    [event] = events_of(trigger_of(recording))
    assert cases.shape(event) == cases.shape(recording["event"])
    sensor, context = cases.waiting(request.node.callspec.id.partition("-")[2], in_dag, context_of)
    arguments = recording["next_kwargs"] | {"deadline": time.time() + 60}
    for each in (event, recording["event"]):
        result = getattr(sensor, recording["next_method"])(context, event=each, **arguments)
        assert cases.shape(result) == cases.shape(recording["result"])


@recordings("waits")
def test_rows_of_triggers(
    in_dag: Callable[[Build], Any],
    context_of: Callable[[BaseOperator], Any],
    connect: Callable[..., str],
    recording: Recording,
    request: pytest.FixtureRequest,
) -> None:
    """What this version defers can be taken up by the other: class, arguments and method are the same."""
    connect()
    name = request.node.callspec.id.partition("-")[2]
    if name == "unchanged":
        put_objects()
    deferred = cases.deferral(*cases.waiting(name, in_dag, context_of))
    path, arguments = deferred.trigger.serialize()
    assert path == recording["classpath"]
    assert cases.shape(json.loads(json.dumps(arguments))) == cases.shape(recording["kwargs"])
    assert deferred.method_name == recording["next_method"]
    assert cases.shape(deferred.kwargs) == cases.shape(recording["next_kwargs"])


@recordings("results")
def test_results(run: Run, place: cases.Place, recording: Any, request: pytest.FixtureRequest) -> None:
    """A result has all that a downstream task has relied on; there may be more."""
    name = request.node.callspec.id.partition("-")[2]
    now = cases.shape(run(lambda: cases.RESULTS[name](place)))
    assert has_all(now, recording), now


def has_all(now: Any, before: Any) -> bool:
    if isinstance(before, dict):
        return all(name in now and has_all(now[name], value) for name, value in before.items())
    if isinstance(before, list):  # how many there are may depend on the version of Airflow
        return isinstance(now, list) and all(any(has_all(one, each) for each in before) for one in now)
    return bool(now == before)


def test_every_operator_is_recorded() -> None:
    """Each operator and sensor of the package has a result here, but for those that another task's result is given."""
    made = {type(build(cases.Place(Path("/")))) for build in cases.RESULTS.values()}
    given = {kind for kind in operators().values() if {"upload", "results"} & declared_by(kind).keys()}
    assert made | given == set(operators().values())
    assert made & given == set()
