"""The filesystem on the local OSS server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from airflow_provider_oss.emulator import OSSEmulator
from airflow_provider_oss.fs.filesystem import OSSFileSystem
from tests.hooks.conftest import IMPATIENT
from tests.support.outside_view import official_bucket

if TYPE_CHECKING:
    import oss2

MakeFileSystem = Callable[..., OSSFileSystem]


@pytest.fixture
def make_fs(connect: Callable[..., str]) -> Iterator[MakeFileSystem]:
    """Make a filesystem whose connection has these fields, and whose repetitions follow at once."""

    def make(**fields: object) -> OSSFileSystem:
        fs = OSSFileSystem(connect(**fields))
        fs.hook.retry = IMPATIENT
        return fs

    OSSFileSystem.clear_instance_cache()
    yield make
    OSSFileSystem.clear_instance_cache()


@pytest.fixture
def fs(make_fs: MakeFileSystem) -> OSSFileSystem:
    """A filesystem with the usual connection."""
    return make_fs()


@pytest.fixture
def bucket(server: OSSEmulator) -> oss2.Bucket:
    """The bucket as the official client has it."""
    return official_bucket(server.endpoint)
