"""Buckets as tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_oss.emulator import OSSEmulator
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.model import BucketProperties
from airflow_provider_oss.operators.buckets import OSSCreateBucketOperator, OSSDeleteBucketOperator
from tests.conftest import BUCKET
from tests.operators.conftest import Run

NAME = "exports-{{ ds }}"
RENDERED = "exports-2026-11-21"


@pytest.fixture(autouse=True)
def _connected(connect: Callable[..., str], server: OSSEmulator) -> None:
    assert server.requests == ()
    connect()


def create(run: Run, **arguments: Any) -> Any:
    return run(lambda: OSSCreateBucketOperator(task_id="create", **{"bucket_name": NAME} | arguments))


def delete(run: Run, **arguments: Any) -> Any:
    return run(lambda: OSSDeleteBucketOperator(task_id="delete", **{"bucket_name": NAME} | arguments))


def test_a_bucket(run: Run) -> None:
    """Created, found there by a second attempt, deleted, found gone by a second attempt."""
    arguments = {"acl": "{{ 'private' }}", "storage_class": "{{ 'IA' }}", "redundancy": "{{ 'ZRS' }}"}
    assert create(run, **arguments) == {"bucket": RENDERED, "created": True}
    assert create(run, **arguments) == {"bucket": RENDERED, "created": False}
    assert OSSHook().bucket_info(RENDERED).properties == BucketProperties("private", "IA", "ZRS")
    assert delete(run) == {"bucket": RENDERED, "deleted": True}
    assert delete(run) == {"bucket": RENDERED, "deleted": False}


def test_a_bucket_that_is_not_empty(run: Run) -> None:
    """It stays, and the task fails at once, unless all that it holds may go."""
    create(run)
    OSSHook().put_object("key", "x", RENDERED)
    with pytest.raises(AirflowFailException, match=r"OSSRequestRejected: .*BucketNotEmpty"):
        delete(run)
    assert delete(run, force=True) == {"bucket": RENDERED, "deleted": True}


def test_a_bucket_that_is_otherwise(run: Run) -> None:
    """Another storage class than the bucket has fails the task at once."""
    with pytest.raises(AirflowFailException, match="has storage_class='Standard', not 'IA'"):
        create(run, bucket_name=BUCKET, storage_class="IA")


@pytest.mark.parametrize("name", ["{{ '' }}", "No_Bucket"])
def test_a_name_is_needed(run: Run, server: OSSEmulator, name: str) -> None:
    """An empty name is not the connection's default bucket."""
    for go in (create, delete):
        with pytest.raises(AirflowFailException, match="is not a name OSS allows"):
            go(run, bucket_name=name)
    assert server.requests == ()
