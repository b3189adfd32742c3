"""OSSDownloadObjectOperator against the local OSS server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_oss.emulator import Fault, OSSEmulator
from airflow_provider_oss.exceptions import (
    OSSAccessDenied,
    OSSConnectionError,
    OSSInvalidArgument,
    OSSInvalidSource,
    OSSInvalidTarget,
    OSSPermanentError,
    OSSUploadCancelled,
)
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.limits import KIB
from airflow_provider_oss.operators.download import OSSDownloadObjectOperator
from airflow_provider_oss.proof import crc64
from tests.conftest import BUCKET
from tests.operators.conftest import DATA, Build, Run

PART_BYTES = 100 * KIB


@pytest.fixture(autouse=True)
def _object(connect: Callable[..., str]) -> None:
    """An object of four ranges."""
    connect()
    OSSHook().put_object("2026-11-21/report.csv", DATA)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with an older file in it."""
    folder = tmp_path / "downloads"
    folder.mkdir()
    (folder / "2026-11-21.csv").write_bytes(b"old")
    return folder


@pytest.fixture
def download(folder: Path) -> Callable[..., Build]:
    """Make the operator, which would work but for the arguments given."""
    usual: dict[str, Any] = {
        "key": "{{ ds }}/report.csv",
        "file_path": f"{folder}/{{{{ ds }}}}.csv",
        "part_size": "{{ 100 * 1024 }}",
        "parallel": "1",
    }
    return lambda **changes: lambda: OSSDownloadObjectOperator(task_id="download", **(usual | changes))


def test_download(run: Run, download: Callable[..., Build], folder: Path) -> None:
    """Key and path are templated; the result is the promised plain dict."""
    result = run(download())

    assert (folder / "2026-11-21.csv").read_bytes() == DATA
    assert result == {
        "bucket": BUCKET,
        "key": "2026-11-21/report.csv",
        "uri": f"oss://{BUCKET}/2026-11-21/report.csv",
        "file_path": f"{folder}/2026-11-21.csv",
        "size": len(DATA),
        "etag": OSSHook().head_object("2026-11-21/report.csv").etag,
        "crc64": str(crc64(DATA)),
        "bytes_received": len(DATA),
        "bytes_verified": 0,
        "resumed": False,
        "elapsed_seconds": result["elapsed_seconds"],
    }


def test_defaults(run: Run, folder: Path) -> None:
    """Key and path are enough; the path may be a Path, and a template may leave the rest empty."""
    path = folder / "new" / "report.csv"
    run(
        lambda: OSSDownloadObjectOperator(
            task_id="download", key="2026-11-21/report.csv", file_path=path, parallel=None
        )
    )
    assert path.read_bytes() == DATA


def test_a_failed_download_is_a_failed_task(
    run: Run, download: Callable[..., Build], server: OSSEmulator, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It raises, and leaves the old file as it was; the retried task asks only for what has not arrived."""
    monkeypatch.setattr("airflow_provider_oss.engine.retry.RetryPolicy.__init__.__defaults__", (1, 0.0, 0.0))
    server.faults.add(Fault(operation="GetObject", skip=2, truncate_response=True))
    with pytest.raises(OSSConnectionError):
        run(download())
    assert (folder / "2026-11-21.csv").read_bytes() == b"old"
    server.faults.clear()
    server.forget_requests()

    result = run(download())

    assert [request.range for request in server.requests if request.operation == "GetObject"] == [
        "bytes=204800-307199",
        "bytes=307200-409599",
    ]
    assert (result["bytes_received"], result["bytes_verified"], result["resumed"]) == (204800, 204800, True)
    assert (folder / "2026-11-21.csv").read_bytes() == DATA
    assert [path.name for path in folder.iterdir()] == ["2026-11-21.csv"]


@pytest.mark.parametrize(
    ("changes", "expected", "message"),
    [
        ({"key": "missing"}, OSSInvalidSource, "the object does not exist .*key=missing"),
        ({"key": ""}, OSSInvalidArgument, "key='' has 0 bytes"),
        ({"file_path": "/"}, OSSInvalidTarget, "file_path='/' names a directory"),
        ({"file_path": "a\0b"}, OSSInvalidArgument, "NUL character"),
        ({"overwrite": False}, OSSInvalidTarget, "overwrite=False"),
        ({"parallel": "0"}, OSSInvalidArgument, "parallel=0 is out of range"),
        ({"part_size": "big"}, OSSInvalidArgument, "part_size='big' is no whole number"),
    ],
)
def test_what_no_retry_mends(
    run: Run,
    download: Callable[..., Build],
    folder: Path,
    changes: dict[str, Any],
    expected: type[OSSPermanentError],
    message: str,
) -> None:
    """A missing object, a path that can be no file, and arguments that cannot work fail the task at once."""
    with pytest.raises(AirflowFailException, match=message) as caught:
        run(download(**changes))
    assert type(caught.value.__cause__) is expected
    assert (folder / "2026-11-21.csv").read_bytes() == b"old"
    assert [path.name for path in folder.iterdir()] == ["2026-11-21.csv"]


def test_forbidden(run: Run, download: Callable[..., Build], server: OSSEmulator, folder: Path) -> None:
    """A download that is not permitted fails the task at once, and is no empty file."""
    server.faults.add(Fault(operation="GetObject", status=403, code="AccessDenied"))
    with pytest.raises(AirflowFailException) as caught:
        run(download())
    assert type(caught.value.__cause__) is OSSAccessDenied
    assert (folder / "2026-11-21.csv").read_bytes() == b"old"


def test_on_kill(
    in_dag: Callable[[Build], Any], context_of: Callable[..., Any], download: Callable[..., Build]
) -> None:
    """``on_kill`` lets the download stop; before there is an attempt it does nothing, and the next one continues."""
    stopped: list[Any] = []
    operator: Any = in_dag(download(progress=lambda *_: stopped or stopped.append(operator.on_kill())))
    context = context_of(operator)
    operator.on_kill()
    operator.render_template_fields(context)

    with pytest.raises(OSSUploadCancelled, match="the next attempt continues"):
        operator.execute(context)

    operator.render_template_fields(context)
    assert operator.execute(context)["resumed"]
