"""An object to a local file: whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_oss.crc64 import crc64
from airflow_provider_oss.emulator import Fault
from airflow_provider_oss.exceptions import OSSBadResponse, OSSChecksumMismatch, OSSConnectionError, OSSNoSuchKey
from airflow_provider_oss.model import ObjectInfo, ObjectOptions, ObjectRef
from airflow_provider_oss.transfer.download import download
from tests.support.sources import some_bytes
from tests.transfer.conftest import Scene

DATA = some_bytes(3_000_000)


def get(scene: Scene, path: Path) -> ObjectInfo:
    return download(lambda: scene.client.get_object(scene.ref, None), path)


def put(scene: Scene, data: bytes) -> None:
    scene.client.put_object(scene.ref, data, crc64(data), ObjectOptions(mime="text/csv"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the download goes: a folder with an older file in it."""
    folder = tmp_path / "downloads"
    folder.mkdir()
    (folder / "object.bin").write_bytes(b"old")
    return folder / "object.bin"


@pytest.mark.parametrize("data", [b"", b"x", DATA])
def test_the_file_is_the_object(scene: Scene, path: Path, data: bytes) -> None:
    """The old file is replaced by the object's bytes, and what the object is comes back."""
    put(scene, data)

    info = get(scene, path)

    assert path.read_bytes() == data
    assert (info.size_bytes, info.crc64, info.content_type) == (len(data), crc64(data), "text/csv")
    assert list(path.parent.iterdir()) == [path]


def test_a_new_file(scene: Scene, path: Path) -> None:
    """Where no file was there is one afterwards."""
    put(scene, DATA)
    path.unlink()

    get(scene, path)

    assert path.read_bytes() == DATA


def assert_untouched(path: Path) -> None:
    assert path.read_bytes() == b"old"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(operation="GetObject", corrupt_response_byte=2_999_999), OSSChecksumMismatch),
        (Fault(operation="GetObject", corrupt_response_byte=0), OSSChecksumMismatch),
        (Fault(operation="GetObject", truncate_response=True), OSSConnectionError),
        (Fault(operation="GetObject", reset="before"), OSSConnectionError),
        (Fault(operation="GetObject", status=404, code="NoSuchKey"), OSSNoSuchKey),
    ],
)
def test_a_download_that_fails_leaves_the_old_file(
    scene: Scene, path: Path, fault: Fault, error: type[Exception]
) -> None:
    """When the bytes do not arrive as they are stored the old file stays, and nothing lies beside it."""
    put(scene, DATA)
    scene.server.faults.add(fault)

    with pytest.raises(error):
        get(scene, path)

    assert_untouched(path)


class ShortBody:
    """An object of which fewer bytes arrive than were promised, without the connection breaking."""

    def __init__(self, info: ObjectInfo, chunks: list[bytes]) -> None:
        self.info = info
        self._chunks = chunks
        self.is_closed = False

    def __iter__(self) -> object:
        return iter(self._chunks)

    def close(self) -> None:
        self.is_closed = True


@pytest.mark.parametrize("arriving", [DATA[:-1], DATA + b"x"])
def test_another_length_is_noticed(scene: Scene, path: Path, arriving: bytes) -> None:
    """Too few or too many bytes are an error that names both numbers, and the connection is given up."""
    put(scene, DATA)
    body = ShortBody(scene.client.head_object(scene.ref), [arriving])

    with pytest.raises(OSSBadResponse, match=f"{len(arriving)} bytes of 3000000 arrived") as caught:
        download(lambda: body, path)

    assert (caught.value.details.bucket, caught.value.details.key) == (scene.ref.bucket, scene.ref.key)
    assert body.is_closed
    assert_untouched(path)


def test_an_object_without_crc64(path: Path) -> None:
    """When OSS tells no CRC-64 the length alone decides."""
    info = ObjectInfo(
        ref=ObjectRef("exports", "a"),
        size_bytes=4,
        etag="E",
        crc64=None,
        content_type=None,
        last_modified=None,
        object_type=None,
        storage_class=None,
        version_id=None,
        meta={},
        headers={},
    )

    assert download(lambda: ShortBody(info, [b"fo", b"ur"]), path) is info

    assert path.read_bytes() == b"four"


def test_a_folder_that_does_not_exist(scene: Scene, path: Path) -> None:
    """A path that cannot be written is the system's own error."""
    put(scene, DATA)

    with pytest.raises(FileNotFoundError):
        get(scene, path.parent / "missing" / "object.bin")

    assert_untouched(path)
