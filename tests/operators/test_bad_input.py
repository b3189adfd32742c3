"""What cannot work is a clear error of its own type that fails the task at once, before anything is sent."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, BaseOperator, Context

from airflow_provider_oss.emulator import OSSEmulator
from airflow_provider_oss.exceptions import (
    OSSInvalidArgument,
    OSSInvalidConnection,
    OSSInvalidSource,
    OSSPermanentError,
    OSSSourceMissing,
)
from airflow_provider_oss.limits import GIB, KIB
from airflow_provider_oss.operators.oss import (
    OSSPutObjectOperator,
    OSSPutStreamOperator,
    OSSResumableStreamOperator,
    OSSResumableUploadOperator,
)
from airflow_provider_oss.shown import a_type
from tests.checkpoint.airflow_edge import Supervisor
from tests.operators.conftest import REFUSED, Build, Run

Connect = Callable[..., str]


def refused(run: Run, server: OSSEmulator, build: Build, expected: type[OSSPermanentError], message: str) -> None:
    """Make and run the operator; one of these must fail for good with this error, and OSS must not hear of it."""
    with pytest.raises(REFUSED, match=message) as caught:
        run(build)
    assert type(caught.value.__cause__ or caught.value) is expected
    assert server.requests == ()


@pytest.fixture(params=["put", "stream", "resumable", "resumable stream"])
def make(request: pytest.FixtureRequest, file: Path) -> Callable[..., Build]:
    """Make each operator, which would work but for the arguments given."""
    kinds: dict[str, tuple[type[BaseOperator], dict[str, Any]]] = {
        "put": (OSSPutObjectOperator, {"data": "data"}),
        "stream": (OSSPutStreamOperator, {"stream": lambda: [b"data"]}),
        "resumable": (OSSResumableUploadOperator, {"file_path": str(file)}),
        "resumable stream": (OSSResumableStreamOperator, {"stream": lambda: [b"data"]}),
    }
    operator, usual = kinds[request.param]
    return lambda **changes: lambda: operator(task_id="upload", **({"key": "key"} | usual | changes))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"key": ""}, "key='' has 0 bytes"),
        ({"key": "/a"}, "begins with '/'"),
        ({"key": "\\a"}, "begins with"),
        ({"key": "x" * 1024}, "1024 bytes"),
        ({"key": "ü" * 512}, "1024 bytes"),
        ({"key": "a\0b"}, "NUL character"),
        ({"key": "oss://exports"}, "names no key"),
        ({"key": "oss://other/a", "bucket_name": "exports"}, "name two buckets"),
        ({"bucket_name": "No_Bucket"}, "bucket_name='No_Bucket'"),
        ({"bucket_name": "ab"}, "bucket_name='ab'"),
        ({"acl": "everyone"}, "acl='everyone' is not known"),
        ({"storage_class": "Cheap"}, "storage_class='Cheap' is not known"),
        ({"tags": {str(number): "" for number in range(11)}}, "tags has 11 entries"),
        ({"tags": {"a" * 129: ""}}, "too long"),
        ({"tags": {"a": None}}, "is a NoneType: give text"),
        ({"meta": {"a b": "c"}}, "meta key 'a b'"),
        ({"meta": {1: "c"}}, "meta key 1 is an int"),
        ({"meta": "{}"}, "meta is a str: give a mapping"),
        ({"meta": {"a": "b\nc"}}, "control character"),
        ({"mime": "text/plain\r\nx: y"}, "control character"),
        ({"headers": {1: "c"}}, "headers key 1 is an int"),
        ({"headers": {"Content-Length": "1"}}, "cannot be given"),
        ({"headers": {"x-oss-object-acl": "private"}}, "use acl"),
        ({"traffic_limit": 1}, "traffic_limit=1 is outside"),
        ({"traffic_limit": "fast"}, "traffic_limit='fast' is no whole number"),
        ({"callback": {"url": "http://app"}}, "callback has no 'body'"),
        ({"callback": {"url": "http://app", "body": "b", "retries": 3}}, r"unknown fields \['retries'\]"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_arguments(
    run: Run,
    server: OSSEmulator,
    connect: Connect,
    make: Callable[..., Build],
    arguments: dict[str, Any],
    message: str,
) -> None:
    """A key, bucket or property that OSS would refuse, given to any operator."""
    connect()
    refused(run, server, make(**arguments), OSSInvalidArgument, message)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"password": ""}, "password .* is missing"),
        ({"login": ""}, "login .* is missing"),
        ({"extra": {}}, "region is missing"),
        ({"extra": {"region": "cn-hangzhou", "timeout": 5}}, "unknown fields: timeout"),
        ({"extra": {"region": "cn-hangzhou", "signature_version": "v3"}}, "signature_version='v3'"),
        ({"host": "https://oss-cn-hangzhou.aliyuncs.com/exports"}, "is no endpoint"),
        ({"host": "", "extra": {}}, "host .* and region are missing"),
    ],
    ids=["secret", "key id", "region", "unknown extra", "wrong extra", "path", "no host"],
)
def test_connections(
    run: Run, server: OSSEmulator, connect: Connect, make: Callable[..., Build], fields: dict[str, Any], message: str
) -> None:
    """A connection that is incomplete or wrong, used by any operator."""
    connect(**fields)
    refused(run, server, make(), OSSInvalidConnection, message)


def test_no_bucket(run: Run, server: OSSEmulator, connect: Connect, make: Callable[..., Build]) -> None:
    """No bucket, neither in the arguments nor in the connection."""
    connect(schema="")
    refused(run, server, make(), OSSInvalidArgument, "no bucket for key='key'")


@pytest.mark.parametrize("operator", [OSSPutObjectOperator, OSSResumableUploadOperator])
@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("absent", OSSSourceMissing, "does not exist on this worker"),
        ("", OSSInvalidSource, "is a directory"),
        ("dump.bin/child", OSSInvalidSource, "cannot be opened: Not a directory"),
        ("loop", OSSInvalidSource, "cannot be opened: Too many levels"),
        ("pipe", OSSInvalidSource, "no regular file"),
    ],
    ids=["missing", "directory", "below a file", "loop of links", "pipe"],
)
def test_files(
    run: Run,
    server: OSSEmulator,
    connect: Connect,
    file: Path,
    operator: type[BaseOperator],
    name: str,
    error: type[OSSPermanentError],
    message: str,
) -> None:
    """A path that leads to no file that can be read."""
    connect()
    (file.parent / "loop").symlink_to(file.parent / "loop")
    os.mkfifo(file.parent / "pipe")
    path = str(file.parent / name)
    refused(run, server, lambda: operator(task_id="upload", key="key", file_path=path), error, message)


@pytest.mark.parametrize("operator", [OSSPutObjectOperator, OSSResumableUploadOperator])
def test_paths(run: Run, server: OSSEmulator, connect: Connect, operator: type[BaseOperator]) -> None:
    """What can be no path."""
    connect()
    refused(
        run,
        server,
        lambda: operator(task_id="upload", key="key", file_path="dump\0.bin"),
        OSSInvalidArgument,
        "NUL character",
    )


@pytest.mark.parametrize("arguments", [{}, {"data": "data", "file_path": "/etc/hostname"}], ids=["neither", "both"])
def test_data_or_file(run: Run, server: OSSEmulator, connect: Connect, arguments: dict[str, Any]) -> None:
    """Of data and file_path neither, or both."""
    connect()
    refused(
        run,
        server,
        lambda: OSSPutObjectOperator(task_id="upload", key="key", **arguments),
        OSSInvalidArgument,
        "either data or file_path",
    )


@pytest.mark.parametrize("data", [{}, [], 0, {"a": 1}, ["a"], 5])
def test_data_that_is_neither_text_nor_bytes(run: Run, server: OSSEmulator, connect: Connect, data: Any) -> None:
    """What another task returned, or native templates make, is not stored as an empty object."""
    connect()
    refused(
        run,
        server,
        lambda: OSSPutObjectOperator(task_id="upload", key="key", data=data),
        OSSInvalidArgument,
        rf"data\S* is {a_type(data)}: give text or bytes",
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"part_size": 100 * KIB - 1}, "part_size"),
        ({"part_size": 0}, "part_size"),
        ({"part_size": 5 * GIB + 1}, "part_size"),
        ({"part_size": "8 MiBit"}, "part_size='8 MiBit' is no whole number of bytes: .* '8 MiB'"),
        ({"part_size": "4 KiB"}, "part_size=4096"),
        ({"parallel": 0}, "parallel=0 is out of range"),
        ({"parallel": 101}, "parallel=101 is out of range"),
        ({"parallel": "many"}, "parallel='many' is no whole number"),
        ({"checkpoint": "file"}, "checkpoint='file' is not known: use one of auto, task_state, variable, xcom"),
        ({"checkpoint": object()}, "give text or an object with load, save and delete"),
        ({"checkpoint": "xcom:absent"}, "checkpoint='xcom:absent'"),
    ],
    ids=[
        *(
            "too small",
            "no bytes",
            "too large",
            "no number of bytes",
            "too few bytes",
            "no parts",
            "too many",
            "no number of parts",
        ),
        *("unknown store", "no store", "unknown anchor"),
    ],
)
def test_resumable_uploads(
    run: Run, server: OSSEmulator, connect: Connect, file: Path, arguments: dict[str, Any], message: str
) -> None:
    """Part size, parallelism, store or anchor that cannot work."""
    connect()
    refused(
        run,
        server,
        lambda: OSSResumableUploadOperator(task_id="upload", key="key", file_path=str(file), **arguments),
        OSSInvalidArgument,
        message,
    )


def test_too_many_parts(run: Run, server: OSSEmulator, connect: Connect, file: Path) -> None:
    """A part size that would need more than 10,000 parts, with the size that would do."""
    connect()
    os.truncate(file, 10_000 * 100 * KIB + 1)
    refused(
        run,
        server,
        lambda: OSSResumableUploadOperator(task_id="upload", key="key", file_path=str(file), part_size=100 * KIB),
        OSSInvalidArgument,
        "10001 parts|10000|10,000",
    )


def test_file_too_large_for_one_request(run: Run, server: OSSEmulator, connect: Connect, file: Path) -> None:
    """A file above what one request carries, with the operator that can."""
    connect()
    os.truncate(file, 5 * GIB + 1)
    refused(
        run,
        server,
        lambda: OSSPutObjectOperator(task_id="upload", key="key", file_path=str(file)),
        OSSInvalidSource,
        "use OSSResumableUploadOperator",
    )


def test_xcom_in_a_dag_of_one_task(
    server: OSSEmulator, connect: Connect, context_of: Callable[[BaseOperator], Context], file: Path
) -> None:
    """The XCom store in a DAG without another task, with what to use instead."""
    connect()
    with DAG("export", schedule=None):
        operator = OSSResumableUploadOperator(task_id="upload", key="key", file_path=str(file), checkpoint="xcom")
    with pytest.raises(AirflowFailException, match="no other unmapped task; use checkpoint='variable'"):
        operator.execute(context_of(operator))
    assert server.requests == ()


def test_task_state_before_airflow_33(
    server: OSSEmulator,
    connect: Connect,
    supervisor: Supervisor,
    context_of: Callable[[BaseOperator], Context],
    in_dag: Callable[[Build], Any],
    file: Path,
) -> None:
    """The task state store on an Airflow that has none; ``auto`` works there, with a Variable."""
    connect()
    wanted = in_dag(lambda: OSSResumableUploadOperator(task_id="u", key="k", file_path=file, checkpoint="task_state"))
    context: Any = context_of(wanted)
    context.pop("task_state_store", None)
    with pytest.raises(AirflowFailException, match=r"Airflow 3\.3 or later"):
        wanted.execute(context)
    assert server.requests == ()

    automatic = in_dag(lambda: OSSResumableUploadOperator(task_id="u", key="k", file_path=file, part_size=100 * KIB))
    saved: list[int] = []
    automatic.progress = lambda *_: saved.append(len(supervisor.variables))
    automatic.execute(context | {"task": automatic})
    assert set(saved) == {1}
    assert supervisor.holds_nothing()


@pytest.mark.parametrize("stream", [lambda: "text", lambda: b"bytes", lambda: 5, lambda: ["text"]], ids=range(4))
def test_streams(run: Run, server: OSSEmulator, connect: Connect, stream: Callable[[], Any]) -> None:
    """A function that returns no stream of bytes."""
    connect()
    with pytest.raises(AirflowFailException, match="stream") as caught:
        run(lambda: OSSPutStreamOperator(task_id="upload", key="key", stream=stream))
    assert type(caught.value.__cause__) is OSSInvalidArgument
    assert not [request for request in server.requests if request.status == 200]
