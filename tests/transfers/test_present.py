"""What is there already, and whether it is described as it should be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_oss.emulator import Fault, OSSEmulator
from airflow_provider_oss.exceptions import OSSServiceUnavailable
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.model import ObjectRef
from airflow_provider_oss.options import parse_options
from airflow_provider_oss.transfer.retry import RetryPolicy
from airflow_provider_oss.transfers.present import is_described_as, look_at
from tests.conftest import BUCKET

REF = ObjectRef(BUCKET, "there.csv")
STORED: dict[str, Any] = {"mime": "text/csv", "meta": {"rows": "7"}, "headers": {"Cache-Control": "no-store"}}


@pytest.fixture
def hook(connect: Callable[..., str]) -> OSSHook:
    """A hook that gives up soon."""
    hook = OSSHook(connect())
    hook.retry = RetryPolicy(tries=2, first_delay_seconds=0)
    return hook


def test_nothing_there(hook: OSSHook) -> None:
    """An object that does not exist is none."""
    assert look_at(hook, REF) is None


def test_may_not_be_looked_at(hook: OSSHook, server: OSSEmulator) -> None:
    """Without permission to look an object counts as none: it is sent again."""
    hook.put_object(REF.key, "a")
    server.faults.add(Fault(operation="HeadObject", status=403, code="AccessDenied"))
    assert look_at(hook, REF) is None


def test_cannot_be_looked_at_now(hook: OSSHook, server: OSSEmulator) -> None:
    """A storage that does not answer says nothing about the object."""
    server.faults.add(Fault(operation="HeadObject", status=503))
    with pytest.raises(OSSServiceUnavailable):
        look_at(hook, REF)


@pytest.mark.parametrize(
    ("wanted", "is_alike"),
    [
        ({}, True),
        (STORED, True),
        ({"storage_class": "Standard"}, True),
        ({"mime": "text/plain"}, False),
        ({"meta": {"rows": "8"}}, False),
        ({"meta": {}}, True),
        ({"headers": {"Cache-Control": "no-cache"}}, False),
        ({"headers": {"Content-Encoding": "gzip"}}, False),
        ({"storage_class": "IA"}, False),
    ],
    ids=str,
)
def test_described(hook: OSSHook, wanted: dict[str, Any], *, is_alike: bool) -> None:
    """What is wanted must be as it is stored; what nothing is said of may be anything."""
    hook.put_object(REF.key, "a,b\n", **STORED)
    found = look_at(hook, REF)
    assert found is not None
    assert is_described_as(found, parse_options(**wanted)) == is_alike
