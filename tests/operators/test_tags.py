"""Tags as tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_oss.emulator import OSSEmulator
from airflow_provider_oss.exceptions import OSSNoSuchKey
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.operators.tags import (
    OSSDeleteObjectTagsOperator,
    OSSGetObjectTagsOperator,
    OSSObjectTagsBaseOperator,
    OSSSetObjectTagsOperator,
)
from tests.conftest import BUCKET
from tests.operators.conftest import REFUSED, Run

KEY = "{{ ds }}.csv"


@pytest.fixture(autouse=True)
def _connected(connect: Callable[..., str], server: OSSEmulator) -> None:
    assert server.requests == ()
    connect()


def do(run: Run, operator: type[OSSObjectTagsBaseOperator], **arguments: Any) -> Any:
    return run(lambda: operator(task_id="tags", **{"key": KEY} | arguments))


def test_tags(run: Run) -> None:
    """Tags are set in place of others, read, and removed; each returns what the object has then."""
    OSSHook().put_object("2026-11-21.csv", "x", tags={"old": "tag"})
    assert do(run, OSSGetObjectTagsOperator) == {"old": "tag"}
    wanted = {"day": "{{ ds }}", "rows": 5, "final": True}
    tags = {"day": "2026-11-21", "rows": "5", "final": "True"}
    assert do(run, OSSSetObjectTagsOperator, tags=wanted, key=f"oss://{BUCKET}/{KEY}") == tags
    assert do(run, OSSGetObjectTagsOperator, bucket_name="{{ 'exports' }}") == tags
    assert do(run, OSSDeleteObjectTagsOperator) == {}
    assert do(run, OSSGetObjectTagsOperator) == {}


@pytest.mark.parametrize(
    ("tags", "complaint"),
    [
        ({str(number): "" for number in range(11)}, "11 entries: OSS allows 10"),
        ({"": "x"}, "too long or has no name"),
        ({"a": "x" * 257}, "too long"),
        ("a=b", "give a mapping"),
        (None, "tags=None is a NoneType: give a mapping"),
    ],
)
def test_tags_that_oss_forbids(run: Run, server: OSSEmulator, tags: Any, complaint: str) -> None:
    """What OSS would refuse fails the task at once, before anything is sent."""
    with pytest.raises(REFUSED, match=complaint):
        do(run, OSSSetObjectTagsOperator, tags=tags)
    assert server.requests == ()


def test_an_object_that_is_not_there(run: Run) -> None:
    """It may come yet: Airflow retries."""
    for operator, more in (
        (OSSGetObjectTagsOperator, {}),
        (OSSSetObjectTagsOperator, {"tags": {"a": "b"}}),
        (OSSDeleteObjectTagsOperator, {}),
    ):
        with pytest.raises(OSSNoSuchKey):
            do(run, operator, **more)
