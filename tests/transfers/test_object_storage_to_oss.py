"""ObjectStorageToOSSOperator, from files and from a real S3 protocol to the local OSS server."""

from __future__ import annotations

from collections import UserList
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, ObjectStoragePath

from airflow_provider_oss.emulator import Fault, OSSEmulator
from airflow_provider_oss.engine.retry import RetryPolicy
from airflow_provider_oss.exceptions import OSSServiceUnavailable, OSSTransientError
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.limits import KIB
from airflow_provider_oss.transfers.object_storage_to_oss import ObjectStorageToOSSOperator
from tests.checkpoint.airflow_edge import Supervisor
from tests.operators.conftest import REFUSED, Build, Run
from tests.support.s3_server import BUCKET as S3_BUCKET
from tests.support.s3_server import S3Server
from tests.support.sources import some_bytes
from tests.support.stores import MemoryStore

PART_BYTES = 100 * KIB
DATA = some_bytes(10 * PART_BYTES)
QUICK = RetryPolicy(tries=2, first_delay_seconds=0.001, longest_delay_seconds=0.001)


@pytest.fixture(autouse=True)
def _connected(connect: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    connect()
    monkeypatch.setattr("airflow_provider_oss.hooks.base.RetryPolicy", lambda: QUICK)


@pytest.fixture
def source(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """The S3 server, as the connection ``aws_source``."""
    monkeypatch.setenv("AIRFLOW_CONN_AWS_SOURCE", s3.connection_json)
    return s3


def copy(**changes: Any) -> Build:
    arguments: dict[str, Any] = {"task_id": "upload", "part_size": PART_BYTES, "parallel": 2}
    return lambda: ObjectStorageToOSSOperator(**(arguments | changes))


def read(key: str) -> bytes:
    with OSSHook().get_object(key) as body:
        return body.read()


def stored_keys() -> list[str]:
    return [one.ref.key for one in OSSHook().list_objects()]


class InterruptedTaskError(Exception):
    """Ends an attempt in the middle."""


def interrupt_at(done_bytes: int, key: str = "") -> Callable[..., None]:
    def progress(_fraction: float, checkpoint: Any, _response: Any) -> None:
        if checkpoint and checkpoint.ref.key.endswith(key) and checkpoint.done_bytes >= done_bytes:
            raise InterruptedTaskError

    return progress


# One file


@pytest.mark.parametrize(
    ("path", "conn_id"),
    [(f"s3://aws_source@{S3_BUCKET}/d/{{{{ ds }}}}.bin", None), (f"s3://{S3_BUCKET}/d/{{{{ ds }}}}.bin", "aws_source")],
)
def test_one_object(run: Run, source: S3Server, path: str, conn_id: str | None) -> None:
    """An S3 object is stored under the key, with the connection in its path or as an argument."""
    source.put("d/2026-11-21.bin", DATA)
    result = run(copy(source=path, source_conn_id=conn_id, key="to/{{ ds }}.bin"))
    assert read("to/2026-11-21.bin") == DATA
    assert (result["key"], result["bytes_sent"]) == ("to/2026-11-21.bin", len(DATA))


def test_object_storage_path(run: Run, source: S3Server) -> None:
    """An ObjectStoragePath is the file of exactly that name, whatever its characters mean elsewhere."""
    source.put("a[1]*.bin", DATA)
    run(copy(source=ObjectStoragePath(f"s3://aws_source@{S3_BUCKET}/a[1]*.bin"), key="key"))
    assert read("key") == DATA


@pytest.mark.parametrize("as_path", [False, True])
def test_local_file(run: Run, tmp_path: Path, *, as_path: bool) -> None:
    """A file of this worker is stored as OSSResumableUploadOperator stores it."""
    file = tmp_path / "data.bin"
    file.write_bytes(DATA)
    run(copy(source=ObjectStoragePath(file.as_uri()) if as_path else str(file), key="key"))
    assert read("key") == DATA


def test_retry_continues(run: Run, source: S3Server, supervisor: Supervisor, server: OSSEmulator) -> None:
    """A second attempt neither sends nor reads what OSS holds: the object's ETag is the same."""
    source.put("data.bin", DATA)
    path = f"s3://aws_source@{S3_BUCKET}/data.bin"
    with pytest.raises(InterruptedTaskError):
        run(copy(source=path, key="key", progress=interrupt_at(5 * PART_BYTES)))
    result = run(copy(source=path, key="key"))
    assert read("key") == DATA
    assert (result["resumed"], result["attempts"]) == (True, 2)
    assert result["bytes_sent"] <= 5 * PART_BYTES
    assert supervisor.holds_nothing()
    assert [one.operation for one in server.requests].count("InitiateMultipartUpload") == 1


def test_replaced_between_attempts(run: Run, source: S3Server) -> None:
    """An S3 object that is another one in the second attempt becomes exactly that one."""
    source.put("data.bin", DATA)
    path, store = f"s3://aws_source@{S3_BUCKET}/data.bin", MemoryStore()
    with pytest.raises(InterruptedTaskError):
        run(copy(source=path, key="key", checkpoint=store, progress=interrupt_at(5 * PART_BYTES), parallel=1))
    other = DATA[: 3 * PART_BYTES] + some_bytes(7 * PART_BYTES, seed=1)
    source.put("data.bin", other)
    result = run(copy(source=path, key="key", checkpoint=store, parallel=1))
    assert (read("key"), result["bytes_verified"]) == (other, 3 * PART_BYTES)


def test_replaced_while_read(run: Run, source: S3Server) -> None:
    """An S3 object that is replaced while it is read makes no object."""
    source.put("data.bin", DATA)
    path, store = f"s3://aws_source@{S3_BUCKET}/data.bin", MemoryStore()

    def replace_it(*_: Any) -> None:
        source.put("data.bin", DATA[::-1])

    with pytest.raises(OSSTransientError, match="changed while it was read"):
        run(copy(source=path, key="key", checkpoint=store, progress=replace_it))
    assert stored_keys() == []
    run(copy(source=path, key="key", checkpoint=store))
    assert read("key") == DATA[::-1]


def test_any_sequence_of_files(run: Run, tmp_path: Path) -> None:
    """What mapped tasks returned is a sequence, if no list."""
    names = [str(tmp_path / name) for name in ("a", "b")]
    for name in names:
        Path(name).write_text(name)
    run(copy(source=UserList(names), prefix="p"))
    assert stored_keys() == ["p/a", "p/b"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"source": "/x", "key": "k", "prefix": "p"}, "give either key"),
        ({"source": "/x"}, "give either key"),
        ({"source": "/missing/file", "key": "k"}, "'/missing/file' does not exist"),
        ({"source": "s3://aws_source@source/missing", "key": "k"}, "'s3://source/missing' does not exist"),
        ({"source": "gs://bucket/key", "key": "k"}, "install the provider that brings it"),
        ({"source": "http://host/x", "key": "k"}, "use HttpToOSSOperator"),
        ({"source": ["/x", "/y"], "key": "k"}, "is 2 files: give prefix"),
        ({"source": 5, "key": "k"}, "give text or an ObjectStoragePath"),
        ({"source": [], "key": "k"}, "is 0 files"),
    ],
)
def test_bad_input(run: Run, source: S3Server, arguments: dict[str, Any], message: str) -> None:
    """What cannot work fails the task at once and says what to change."""
    assert source.endpoint
    with pytest.raises(REFUSED, match=message):
        run(copy(**arguments))


# Many files


@pytest.fixture
def tree(source: S3Server) -> dict[str, bytes]:
    """Objects with equal names in different folders; what is expected below ``to/``."""
    files = {
        "x/r.csv": b"x",
        "y/r.csv": some_bytes(3 * PART_BYTES, seed=1),
        "y/deep/s.csv": some_bytes(4 * PART_BYTES, seed=2),
        "z.csv": b"",
    }
    for name, data in files.items():
        source.put(f"data/{name}", data)
    source.put("data/other.txt", b"not asked for")
    return {f"to/{name}": data for name, data in files.items()}


GLOB = f"s3://aws_source@{S3_BUCKET}/data/**/*.csv"


def many(**changes: Any) -> Build:
    return copy(**({"source": GLOB, "prefix": "to"} | changes))


def test_tree(run: Run, tree: dict[str, bytes], supervisor: Supervisor) -> None:
    """A glob stores every file under its path below what is fixed, and the result tells of each."""
    result = run(many())
    assert {key: read(key) for key in stored_keys()} == tree
    assert [one["source"] for one in result["objects"]] == [
        f"s3://{S3_BUCKET}/data/{name}" for name in ("x/r.csv", "y/deep/s.csv", "y/r.csv", "z.csv")
    ]
    total = sum(map(len, tree.values()))
    assert (result["failed"], result["size"], result["bytes_sent"]) == ([], total, total)
    assert supervisor.holds_nothing()


def test_second_run_sends_nothing(run: Run, tree: dict[str, bytes], server: OSSEmulator) -> None:
    """What is there already and equal is compared, not sent."""
    run(many())
    server.forget_requests()
    result = run(many())
    assert (result["bytes_sent"], result["bytes_verified"]) == (0, sum(map(len, tree.values())))
    assert {one.operation for one in server.requests} == {"HeadObject"}


def test_only_what_differs_is_sent(run: Run, source: S3Server, tree: dict[str, bytes]) -> None:
    """Of files that changed, one keeping its size, those alone are sent again."""
    run(many())
    changed = tree["to/y/r.csv"][::-1]
    source.put("data/y/r.csv", changed)
    source.put("data/x/r.csv", b"longer")
    result = run(many())
    assert result["bytes_sent"] == len(changed) + len(b"longer")
    assert (read("to/y/r.csv"), read("to/x/r.csv")) == (changed, b"longer")


def test_other_description_is_sent(run: Run, tree: dict[str, bytes]) -> None:
    """An equal object with other metadata than asked for is sent again, so that it has them."""
    run(many(meta={"run": "1"}))
    assert run(many(meta={"run": "1"}))["bytes_sent"] == 0
    result = run(many(meta={"run": "2"}))
    assert result["bytes_sent"] == sum(map(len, tree.values()))
    assert OSSHook().head_object("to/x/r.csv").meta == {"run": "2"}


def test_interrupted(run: Run, tree: dict[str, bytes], supervisor: Supervisor, server: OSSEmulator) -> None:
    """A second attempt goes on inside the file that the first was at, and sends nothing that was stored before it."""
    with pytest.raises(InterruptedTaskError):
        run(many(progress=interrupt_at(2 * PART_BYTES, "y/r.csv"), parallel=1))
    assert stored_keys() == ["to/x/r.csv", "to/y/deep/s.csv"]
    result = run(many(parallel=1))
    assert {key: read(key) for key in stored_keys()} == tree
    assert result["bytes_sent"] <= PART_BYTES
    assert supervisor.holds_nothing()
    initiated = [one.key for one in server.requests if one.operation == "InitiateMultipartUpload"]
    assert sorted(initiated) == ["to/y/deep/s.csv", "to/y/r.csv"]
    assert list(OSSHook().list_multipart_uploads()) == []


def test_interrupted_file_is_gone(run: Run, source: S3Server, tree: dict[str, bytes], supervisor: Supervisor) -> None:
    """When the file that the first attempt was at is no source any more, its parts are not left behind."""
    with pytest.raises(InterruptedTaskError):
        run(many(progress=interrupt_at(2 * PART_BYTES, "y/r.csv"), parallel=1))
    source.client.delete_object(Bucket=S3_BUCKET, Key="data/y/r.csv")
    run(many())
    assert stored_keys() == [key for key in sorted(tree) if key != "to/y/r.csv"]
    assert supervisor.holds_nothing()
    assert list(OSSHook().list_multipart_uploads()) == []


def test_one_file_fails(run: Run, tmp_path: Path, supervisor: Supervisor) -> None:
    """A file that cannot be read does not keep the others from being stored; the result lists both, the task fails."""
    supervisor.task_ids = ("upload",)
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text(name)
    gone = ObjectStoragePath((tmp_path / "gone").as_uri())
    with pytest.raises(AirflowFailException, match=r"(?s)1 of 4 files were not stored.*gone.*does not exist"):
        run(copy(source=[str(tmp_path / "a"), gone, f"{tmp_path}/[bc]"], prefix="to"))
    assert stored_keys() == ["to/a", "to/b", "to/c"]
    [result] = [value for address, value in supervisor.xcoms.items() if "return_value" in address]
    assert [one["key"] for one in result["objects"]] == ["to/a", "to/b", "to/c"]
    assert [(one["uri"], one["may_pass"]) for one in result["failed"]] == [("oss://exports/to/gone", False)]


def test_oss_fails(run: Run, tree: dict[str, bytes], server: OSSEmulator) -> None:
    """What says that no other file can be stored either ends the attempt at once, with its own error."""
    assert tree
    server.faults.add(Fault(operation="PutObject", status=503, code="ServiceUnavailable"))
    with pytest.raises(OSSServiceUnavailable):
        run(many())
    assert {one.key for one in server.requests if one.operation == "PutObject"} == {"to/x/r.csv"}


def test_equal_names_never_merge(run: Run, tree: dict[str, bytes], server: OSSEmulator) -> None:
    """Two files with one key are an error before anything is sent."""
    assert tree
    paths = [f"s3://aws_source@{S3_BUCKET}/data/{name}/r.csv" for name in "xy"]
    with pytest.raises(AirflowFailException, match=r"would both become 'to/r\.csv', nothing was sent"):
        run(copy(source=paths, prefix="to"))
    assert server.requests == ()


def test_key_that_oss_refuses(run: Run, source: S3Server, server: OSSEmulator) -> None:
    """A key that OSS would refuse is an error before anything is sent."""
    source.put("data/a", b"a")
    source.put(f"data/{'x' * 1000}", b"b")
    with pytest.raises(AirflowFailException, match="OSS allows 1 to 1023"):
        run(copy(source=f"s3://aws_source@{S3_BUCKET}/data/*", prefix="x" * 30))
    assert server.requests == ()
