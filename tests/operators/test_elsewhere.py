"""A retry on a worker that does not see the file that an earlier attempt has read on another one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_oss.decorators.oss_upload import oss_upload_task
from airflow_provider_oss.emulator import Fault, OSSEmulator
from airflow_provider_oss.exceptions import OSSTransientError
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.limits import KIB
from airflow_provider_oss.operators.directory import OSSUploadDirectoryOperator
from airflow_provider_oss.operators.files import OSSUploadFilesOperator
from airflow_provider_oss.operators.oss import OSSResumableUploadOperator
from airflow_provider_oss.shown import host_name
from airflow_provider_oss.transfers.object_storage_to_oss import ObjectStorageToOSSOperator
from tests.operators.conftest import DATA, Build, Run

ARGUMENTS: dict[str, Any] = {"task_id": "upload", "part_size": 100 * KIB, "parallel": 1}


def decorated(file: Path) -> Any:
    return oss_upload_task(key="key", **ARGUMENTS)(lambda: file)().operator  # type: ignore[attr-defined]  # of XComArg


WAYS: dict[str, Callable[[Path], Any]] = {
    "a file": lambda file: OSSResumableUploadOperator(key="key", file_path=file, **ARGUMENTS),
    "a function's file": decorated,
    "a directory": lambda file: OSSUploadDirectoryOperator(key="to", directory=file.parent, **ARGUMENTS),
    "files": lambda file: OSSUploadFilesOperator(key="to", files=[file], **ARGUMENTS),
    "a path": lambda file: ObjectStorageToOSSOperator(key="key", source=str(file), **ARGUMENTS),
    "a glob with a key": lambda file: ObjectStorageToOSSOperator(key="key", source=f"{file.parent}/*", **ARGUMENTS),
    "paths": lambda file: ObjectStorageToOSSOperator(prefix="to", source=[str(file)], **ARGUMENTS),
    "a glob": lambda file: ObjectStorageToOSSOperator(prefix="to", source=f"{file.parent}/*", **ARGUMENTS),
}

every_way = pytest.mark.parametrize("way", WAYS)


@pytest.fixture(autouse=True)
def _connected(connect: Callable[..., str]) -> None:
    connect()


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """The directory of the file, alone in it."""
    directory = tmp_path / "volume"
    directory.mkdir()
    (directory / "data.bin").write_bytes(DATA)
    return directory


def build(way: str, volume: Path) -> Build:
    return lambda: WAYS[way](volume / "data.bin")


@every_way
def test_a_retry_elsewhere(run: Run, server: OSSEmulator, volume: Path, way: str) -> None:
    """Airflow retries it, the error names the host, and where the file is seen the upload is continued."""
    server.faults.add(Fault(operation="UploadPart", part_number=3, status=403, code="AccessDenied"))
    with pytest.raises(AirflowFailException):
        run(build(way, volume))
    server.faults.clear()

    away = volume.rename(volume.with_name("away"))
    text = rf"is not on this worker, {host_name()}, .* on a volume that all workers share, or give the task a queue"
    with pytest.raises(OSSTransientError, match=text):
        run(build(way, volume))

    away.rename(volume)
    server.forget_requests()
    run(build(way, volume))
    assert [one.part_number for one in server.requests if one.operation == "UploadPart"] == [3, 4]
    assert list(OSSHook().list_multipart_uploads()) == []


@every_way
def test_a_first_attempt(run: Run, server: OSSEmulator, volume: Path, way: str) -> None:
    """Nothing shows that there is such a file: it fails for good, and the error names the host."""
    volume.rename(volume.with_name("away"))
    with pytest.raises(AirflowFailException, match=f"on this worker, {host_name()}"):
        run(build(way, volume))
    assert {one.operation for one in server.requests} <= {"HeadObject"}
