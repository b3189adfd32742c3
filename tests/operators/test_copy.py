"""OSSCopyObjectOperator against the local OSS server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_oss.emulator import Fault, OSSEmulator
from airflow_provider_oss.exceptions import (
    OSSAccessDenied,
    OSSInvalidArgument,
    OSSInvalidSource,
    OSSPermanentError,
    OSSServiceUnavailable,
    OSSSourceChanged,
)
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.limits import GIB, KIB
from airflow_provider_oss.model import CopyResult
from airflow_provider_oss.operators.copy import OSSCopyObjectOperator
from tests.checkpoint.airflow_edge import Supervisor
from tests.conftest import BUCKET
from tests.operators.conftest import DATA, Run

PART_BYTES = 100 * KIB
IN_PARTS = {"multipart_threshold": "0", "part_size": "{{ 100 * 1024 }}", "parallel": "1"}


@pytest.fixture(autouse=True)
def _source(connect: Callable[..., str]) -> None:
    """An object of four parts."""
    connect()
    OSSHook().put_object("2026-11-21/source.csv", DATA, meta={"from": "source"})


def copy(**changes: Any) -> Callable[[], OSSCopyObjectOperator]:
    usual: dict[str, Any] = {"source_key": "{{ ds }}/source.csv", "key": "oss://other/{{ run_id }}/copy.csv"}
    return lambda: OSSCopyObjectOperator(task_id="copy", **(usual | changes))


def read(key: str) -> bytes:
    with OSSHook().get_object(key) as body:
        return body.read()


def test_copy(run: Run, server: OSSEmulator) -> None:
    """Source and target are templated; the result is the promised plain dict."""
    result = run(copy())

    assert set(result) == {field.name for field in fields(CopyResult)}
    assert (result["uri"], result["source_uri"]) == (
        "oss://other/manual__1/copy.csv",
        f"oss://{BUCKET}/2026-11-21/source.csv",
    )
    assert (result["size"], result["bytes_copied"], result["attempts"]) == (len(DATA), len(DATA), 1)
    assert read(result["uri"]) == DATA
    assert OSSHook().head_object(result["uri"]).meta == {"from": "source"}
    assert [request.operation for request in server.requests].count("CopyObject") == 1


def test_options(run: Run) -> None:
    """What is given is stored with the copy in place of what the source has."""
    run(
        copy(
            source_bucket_name=BUCKET, key="copy", bucket_name="other", meta={"run": "{{ run_id }}"}, mime="text/plain"
        )
    )
    info = OSSHook().head_object("oss://other/copy")
    assert (info.meta, info.content_type) == ({"run": "manual__1"}, "text/plain")


def test_a_retried_copy_continues(run: Run, server: OSSEmulator, supervisor: Supervisor) -> None:
    """What an attempt has copied in parts is not copied again, and its checkpoint goes with the end."""
    busy = Fault(operation="UploadPartCopy", part_number=3, status=503, code="ServiceUnavailable")
    server.faults.add(busy)
    with pytest.raises(OSSServiceUnavailable):
        run(copy(**IN_PARTS))
    assert not supervisor.holds_nothing()
    server.faults.clear()
    server.forget_requests()

    result = run(copy(**IN_PARTS))

    assert [request.part_number for request in server.requests if request.operation == "UploadPartCopy"] == [3, 4]
    assert (result["attempts"], result["resumed"]) == (2, True)
    assert (result["bytes_copied"], result["bytes_verified"]) == (len(DATA) - 2 * PART_BYTES, 2 * PART_BYTES)
    assert read(result["uri"]) == DATA
    assert supervisor.holds_nothing()


@pytest.mark.parametrize(
    ("changes", "expected", "message"),
    [
        ({"source_key": "missing"}, OSSInvalidSource, "the object does not exist .*key=missing"),
        ({"source_key": ""}, OSSInvalidArgument, "key='' has 0 bytes"),
        ({"multipart_threshold": GIB + 1}, OSSInvalidArgument, "multipart_threshold=1073741825 is out of range"),
        ({"multipart_threshold": "much"}, OSSInvalidArgument, "multipart_threshold='much' is no whole number"),
        ({"callback": {"url": "http://app", "body": "b"}}, OSSInvalidArgument, "callback cannot be used"),
    ],
)
def test_what_no_retry_mends(
    run: Run, changes: dict[str, Any], expected: type[OSSPermanentError], message: str
) -> None:
    """A missing source and arguments that cannot work fail the task at once."""
    with pytest.raises(AirflowFailException, match=message) as caught:
        run(copy(**changes))
    assert type(caught.value.__cause__) is expected


def test_forbidden(run: Run, server: OSSEmulator) -> None:
    """A copy that is not permitted fails the task at once."""
    server.faults.add(Fault(operation="CopyObject", status=403, code="AccessDenied"))
    with pytest.raises(AirflowFailException) as caught:
        run(copy())
    assert type(caught.value.__cause__) is OSSAccessDenied


def test_a_source_that_changes(run: Run, server: OSSEmulator) -> None:
    """A source that is replaced between the look and the copy is left to Airflow's retry."""
    server.faults.add(Fault(operation="CopyObject", times=1, status=412, code="PreconditionFailed"))
    with pytest.raises(OSSSourceChanged):
        run(copy())
    assert run(copy())["size"] == len(DATA)


def test_no_threshold(run: Run) -> None:
    """A template that renders to nothing leaves the default."""
    assert run(copy(multipart_threshold=None))["size"] == len(DATA)
