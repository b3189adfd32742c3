"""A hook that is connected to the local OSS server."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import redact

from airflow_provider_oss.engine.retry import RetryPolicy
from airflow_provider_oss.hooks.oss import OSSHook
from tests.hooks.support import DATA

MakeHook = Callable[..., OSSHook]

IMPATIENT = RetryPolicy(tries=3, first_delay_seconds=0.001, longest_delay_seconds=0.002)


@pytest.fixture
def make_hook(connect: Callable[..., str]) -> MakeHook:
    """Make a hook whose connection has these fields, and whose repetitions follow at once."""

    def make(bucket_name: str | None = None, **fields: object) -> OSSHook:
        hook = OSSHook(connect(**fields), bucket_name)
        hook.retry = IMPATIENT
        return hook

    return make


@pytest.fixture
def hook(make_hook: MakeHook) -> OSSHook:
    """A hook with the usual connection."""
    return make_hook()


@pytest.fixture
def _masker_that_knows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow 2 masks secrets of one letter too, which other tests have, and then only parts of longer ones."""
    masker = sys.modules[redact.__module__]._secrets_masker()
    monkeypatch.setattr(masker, "patterns", set())
    monkeypatch.setattr(masker, "replacer", None)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of 256 KiB."""
    path = tmp_path / "dump.bin"
    path.write_bytes(DATA)
    return path
