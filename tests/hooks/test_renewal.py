"""A wait that outlives its AccessKey."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from airflow_provider_oss.emulator import Fault, OSSEmulator
from airflow_provider_oss.exceptions import OSSAccessDenied, OSSServiceUnavailable
from airflow_provider_oss.hooks.oss import OSSHook


def test_a_connection_that_was_renewed(
    make_hook: Callable[..., OSSHook], connect: Callable[..., str], server: OSSEmulator
) -> None:
    """When a key is refused and the Airflow connection has another one now, that one is used."""
    hook = make_hook(password="no longer valid")
    with pytest.raises(OSSAccessDenied):
        hook.object_exists("a.csv")
    connect()
    assert hook.with_new_credentials(lambda: hook.object_exists("a.csv")) is False
    assert [request.status for request in server.requests] == [403, 403, 404]


def test_a_connection_that_is_the_same(make_hook: Callable[..., OSSHook], server: OSSEmulator) -> None:
    """When the connection has nothing else to offer, the refusal is raised after one request."""
    hook = make_hook(password="wrong")
    with pytest.raises(OSSAccessDenied, match="SignatureDoesNotMatch"):
        hook.with_new_credentials(lambda: hook.object_exists("a.csv"))
    assert len(server.requests) == 1


def test_other_errors(hook: OSSHook, server: OSSEmulator) -> None:
    """Only refused credentials make the connection be read again."""
    server.faults.add(Fault(status=503))
    with pytest.raises(OSSServiceUnavailable):
        hook.with_new_credentials(lambda: hook.object_exists("a.csv"))
