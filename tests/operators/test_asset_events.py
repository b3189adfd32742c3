"""What the events of assets say of what a task has stored, as the DAG reads them that runs because of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import Asset

from airflow_provider_oss.assets.oss import create_asset
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.operators.directory import OSSUploadDirectoryOperator
from airflow_provider_oss.operators.oss import OSSPutObjectOperator, OSSResumableUploadOperator
from tests.operators.conftest import DATA

KEY = "daily/a b#1.csv"

EventsOf = Callable[..., list[dict[str, Any]]]


@pytest.fixture(autouse=True)
def _connected(connect: Callable[..., str]) -> None:
    connect()


def test_an_object(events_of: EventsOf, file: Path) -> None:
    """The event of the object, of a folder above it and of the bucket says what was stored; those of others nothing."""
    others = [create_asset(bucket="exports", key="daily/a"), create_asset(bucket="other", key=KEY), Asset("s3://daily")]
    outlets = [create_asset(bucket="exports", key=key) for key in (KEY, "daily/", "")] + others
    found = events_of(lambda: OSSResumableUploadOperator(task_id="up", key=KEY, file_path=str(file), outlets=outlets))
    described = {"key": KEY, "size": len(DATA), "etag": OSSHook().head_object(KEY).etag}
    assert found == [described] * 3 + [{}] * 3


def test_a_directory(events_of: EventsOf, file: Path) -> None:
    """The event of a folder has number and size of the files that are there."""
    outlets = [create_asset(bucket="exports", key="daily")]

    def build() -> Any:
        return OSSUploadDirectoryOperator(
            task_id="up", key="daily", directory=str(file.parent), include=["*.bin"], outlets=outlets
        )

    assert events_of(build) == [{"files": 1, "size": len(DATA)}]


def test_what_the_user_says_stays(events_of: EventsOf) -> None:
    """What was put into an event by the user, before the task or while it ran, is not replaced."""
    outlets = [create_asset(bucket="exports", key="a")]
    [event] = events_of(
        lambda: OSSPutObjectOperator(task_id="up", key="a", data=b"123", outlets=outlets), size="x", by=1
    )
    assert event == {"key": "a", "size": "x", "by": 1, "etag": OSSHook().head_object("a").etag}
