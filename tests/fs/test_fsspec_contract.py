"""fsspec's own tests of what every filesystem should do."""

from __future__ import annotations

import posixpath
from collections.abc import Callable

import pytest
from fsspec.tests.abstract import (
    AbstractCopyTests,
    AbstractFixtures,
    AbstractGetTests,
    AbstractOpenTests,
    AbstractPipeTests,
    AbstractPutTests,
)

from airflow_provider_oss.fs.filesystem import OSSFileSystem
from tests.conftest import BUCKET
from tests.fs.conftest import MakeFileSystem


class OSSFixtures(AbstractFixtures):
    """OSS has no empty directories, and no directories at all."""

    @pytest.fixture
    def fs(self, make_fs: MakeFileSystem) -> OSSFileSystem:
        return make_fs()

    @pytest.fixture
    def fs_path(self) -> str:
        return f"{BUCKET}/some/where"

    @pytest.fixture
    def fs_join(self) -> Callable[..., str]:
        return posixpath.join

    @pytest.fixture
    def supports_empty_directories(self, request: pytest.FixtureRequest) -> bool:
        """Those that were made are there; those that came with their files go with them."""
        return "without_files" not in request.node.name


class TestCopy(AbstractCopyTests, OSSFixtures):
    """Copying inside OSS."""


class TestGet(AbstractGetTests, OSSFixtures):
    """Downloading."""


class TestPut(AbstractPutTests, OSSFixtures):
    """Uploading."""


class TestPipe(AbstractPipeTests, OSSFixtures):
    """Bytes in memory."""


class TestOpen(AbstractOpenTests, OSSFixtures):
    """Exclusive creation."""
