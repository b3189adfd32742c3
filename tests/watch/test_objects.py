"""Objects as they are found: a listing and HeadObject tell the same, and a set of them is told from another."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_oss.exceptions import OSSBadResponse
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.model import ObjectInfo, ObjectRef
from airflow_provider_oss.watch import FoundObject, described, listed, snapshot
from tests.conftest import BUCKET

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ONE = FoundObject("oss://exports/a", "exports", "a", 3, "ETAG", NOON, "Standard")


def test_a_listing_and_head_tell_the_same(hook: OSSHook) -> None:
    """Whichever way an object is found, it has the same address, size, ETag and time of change."""
    hook.put_object("dir/a.csv", b"123", storage_class="IA")
    [entry] = hook.list_objects("dir/")
    by_listing, by_head = listed(entry), described(hook.head_object("dir/a.csv"))

    assert by_listing == by_head
    assert (by_head.uri, by_head.bucket, by_head.key) == (f"oss://{BUCKET}/dir/a.csv", BUCKET, "dir/a.csv")
    assert (by_head.size, by_head.storage_class) == (3, "IA")
    assert abs(datetime.now(UTC) - by_head.last_modified) < timedelta(minutes=5)


@pytest.mark.parametrize("told", [None, "", "yesterday"])
def test_an_answer_without_a_time(told: str | None) -> None:
    """HeadObject's answer without a date in Last-Modified is no answer of OSS."""
    info = ObjectInfo(ObjectRef(BUCKET, "a"), 1, "E", None, None, told, None, None, None, {}, {})
    with pytest.raises(OSSBadResponse, match=r"Last-Modified .* is no date \[bucket=exports, key=a\]"):
        described(info)


@pytest.mark.parametrize(
    "other",
    [
        replace(ONE, uri="oss://exports/b"),
        replace(ONE, size=4),
        replace(ONE, etag="OTHER"),
        replace(ONE, last_modified=NOON + timedelta(seconds=1)),
    ],
)
def test_snapshots_differ(other: FoundObject) -> None:
    """Another key, size, ETag or time of change makes another set."""
    assert snapshot([ONE]) == snapshot([replace(ONE)])
    assert snapshot([other]).digest != snapshot([ONE]).digest


def test_snapshots_count() -> None:
    """A snapshot knows how many objects there are and how many bytes they have, and none is a set too."""
    two = snapshot([ONE, replace(ONE, uri="oss://exports/b", size=4)])
    assert (two.objects, two.size) == (2, 7)
    assert (snapshot([]).objects, snapshot([]).size) == (0, 0)
    assert len({snapshot([]).digest, snapshot([ONE]).digest, snapshot([ONE, ONE]).digest, two.digest}) == 4
