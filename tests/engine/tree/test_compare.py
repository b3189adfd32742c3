"""What is read and asked to find out which files OSS holds already."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_oss.emulator import Fault
from airflow_provider_oss.engine.source import FileSource
from airflow_provider_oss.engine.tree.compare import Candidate, Comparison
from airflow_provider_oss.engine.tree.walk import LocalFile
from airflow_provider_oss.exceptions import OSSServiceUnavailable
from airflow_provider_oss.model import ObjectOptions, ObjectRef
from airflow_provider_oss.proof import crc64
from tests.support.sources import some_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from tests.engine.conftest import Scene

ENDLESS_BYTES = 1 << 40
"""Of a file with a hole: to read it takes many minutes."""
LARGE = some_bytes(100_000)


def candidate(scene: Scene, path: Path) -> Candidate:
    file = LocalFile(path.name, path.stat().st_size)
    return Candidate(FileSource(str(path)), file, ObjectRef(scene.bucket, path.name), "")


def readers() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name.startswith("oss-file-reader") and one.is_alive()]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("fault", [{"status": 403, "code": "AccessDenied"}, {"status": 404}, {"status": 503}, None])
def test_a_file_whose_object_is_not_told(scene: Scene, tmp_path: Path, fault: dict[str, Any] | None) -> None:
    """When OSS says nothing that the file could be compared with, it is not read to its end: the next one is."""
    endless, large = tmp_path / "1", tmp_path / "2"
    endless.touch()
    os.truncate(endless, ENDLESS_BYTES)
    large.write_bytes(LARGE)
    for name in ("1", "2"):
        scene.client.put_object(ObjectRef(scene.bucket, name), LARGE, crc64(LARGE), ObjectOptions())
    if fault is not None:
        scene.server.faults.add(Fault(operation="HeadObject", times=1, **fault))

    def ask_again(_: ObjectRef) -> Any:
        raise OSSServiceUnavailable("busy")

    comparison = Comparison(scene.client, ask_again, 1, lambda: None)
    outcomes = list(comparison.run([candidate(scene, endless), candidate(scene, large)]))

    assert [one.is_equal for one in outcomes] == [False, True]
    assert isinstance(outcomes[0].error, OSSServiceUnavailable) == (fault == {"status": 503})


def test_the_end_is_not_waited_for(scene: Scene, tmp_path: Path) -> None:
    """At the end nobody waits for a file whose reading was given up, and its thread ends soon."""
    endless = tmp_path / "1"
    endless.touch()
    os.truncate(endless, ENDLESS_BYTES)
    comparison = Comparison(scene.client, scene.client.head_object, 2, lambda: None)
    began = time.monotonic()

    assert [one.is_equal for one in comparison.run([candidate(scene, endless)])] == [False]

    assert time.monotonic() - began < 2
    for reader in readers():
        reader.join(10)
    assert readers() == []
