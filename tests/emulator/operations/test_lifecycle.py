"""Lifecycle rules that end forgotten uploads, and the clock by which they do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import oss2
import pytest
from oss2.models import AbortMultipartUpload, BucketLifecycle, LifecycleExpiration, LifecycleRule

from airflow_provider_oss.emulator import Limits, OSSEmulator
from airflow_provider_oss.emulator.operations.lifecycle import is_over
from airflow_provider_oss.emulator.state.records import AbortRule
from tests.emulator.support import Client
from tests.support.moved_clock import MovedClock

DAY_SECONDS = 86_400
WITHOUT_ACTION = b"<LifecycleConfiguration><Rule><Prefix/><Status>Enabled</Status></Rule></LifecycleConfiguration>"


@pytest.fixture
def clock() -> MovedClock:
    """The clock of the server."""
    return MovedClock()


@pytest.fixture
def server(tmp_path: Path, clock: MovedClock) -> Iterator[OSSEmulator]:
    """A server whose clock the test moves; clients do not know of that."""
    limits = Limits(max_clock_skew_seconds=10 * DAY_SECONDS)
    with OSSEmulator(root=tmp_path / "oss", clock=clock, limits=limits) as running:
        yield running


def rule(prefix: str = "", status: str = "Enabled", **action: object) -> LifecycleRule:
    """A rule that ends uploads."""
    return LifecycleRule("id", prefix, status=status, abort_multipart_upload=AbortMultipartUpload(**action))


def test_rules_are_kept(bucket: oss2.Bucket, client: Client) -> None:
    """Rules come back as they were given, with an id that they may lack; without any there is an error."""
    with pytest.raises(oss2.exceptions.NoSuchLifecycle):
        bucket.get_bucket_lifecycle()
    by_date = AbortMultipartUpload(created_before_date=date(2016, 12, 25))
    rules = [rule("a/", days=3), LifecycleRule("", "b/", status="Disabled", abort_multipart_upload=by_date)]
    bucket.put_bucket_lifecycle(BucketLifecycle(rules))
    first, second = bucket.get_bucket_lifecycle().rules
    assert (first.id, first.prefix, first.status, first.abort_multipart_upload.days) == ("id", "a/", "Enabled", 3)
    assert (second.prefix, second.status) == ("b/", "Disabled")
    assert second.abort_multipart_upload.created_before_date == date(2016, 12, 25)
    assert second.id
    for _ in range(2):
        assert client.send("DELETE", "", {"lifecycle": ""}).status == 204
    with pytest.raises(oss2.exceptions.NoSuchLifecycle):
        bucket.get_bucket_lifecycle()


def test_an_upload_is_over(bucket_v1: oss2.Bucket, client: Client, clock: MovedClock) -> None:
    """An upload that a rule ends is gone for every call on it, and is in nobody's way; others go on."""
    bucket_v1.put_bucket_lifecycle(BucketLifecycle([rule("forgotten/", days=3)]))
    for key in ("forgotten/a", "forgotten/b", "kept"):
        assert bucket_v1.upload_part(key, bucket_v1.init_multipart_upload(key).upload_id, 1, b"x").etag
    ids = {found.key: found.upload_id for found in bucket_v1.list_multipart_uploads().upload_list}
    clock.offset = 3 * DAY_SECONDS - 60
    assert client.send("GET", "forgotten/a", {"uploadId": ids["forgotten/a"]}).status == 200
    clock.offset = 3 * DAY_SECONDS + 60
    gone = client.send("PUT", "forgotten/a", {"uploadId": ids["forgotten/a"], "partNumber": "2"}, body=b"y")
    assert (gone.status, gone.code) == (404, "NoSuchUpload")
    assert client.send("GET", "", {"uploads": ""}).text("Upload/Key") == "kept"
    assert client.send("DELETE", "kept", {"uploadId": ids["kept"]}).status == 204
    assert client.send("DELETE", "").status == 204


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (AbortRule("", "", is_enabled=True, days=1), True),
        (AbortRule("", "a/", is_enabled=True, days=1), True),
        (AbortRule("", "b/", is_enabled=True, days=1), False),
        (AbortRule("", "", is_enabled=False, days=1), False),
        (AbortRule("", "", is_enabled=True, days=2), False),
        (AbortRule("", "", is_enabled=True, created_before="1970-01-03T00:00:00.000Z"), True),
        (AbortRule("", "", is_enabled=True, created_before="1970-01-02T00:00:00.000Z"), False),
    ],
)
def test_when_an_upload_is_over(rule: AbortRule, *, expected: bool) -> None:
    """A rule that is enabled ends uploads below its prefix, by their age or by a date."""
    assert is_over((rule,), "a/b", initiated_at=DAY_SECONDS, now=2 * DAY_SECONDS) is expected


def test_what_is_refused(bucket_v1: oss2.Bucket, client: Client) -> None:
    """Rules that do anything else are lacking, and rules that are none are malformed."""
    expiring = LifecycleRule("id", "", expiration=LifecycleExpiration(days=3))
    with pytest.raises(oss2.exceptions.ServerError) as caught:
        bucket_v1.put_bucket_lifecycle(BucketLifecycle([expiring]))
    assert (caught.value.status, caught.value.code) == (501, "NotImplemented")
    assert "Expiration" in caught.value.message
    for body in (b"<LifecycleConfiguration/>", WITHOUT_ACTION):
        assert client.send("PUT", "", {"lifecycle": ""}, body=body).code == "MalformedXML"
    for days in (0, -1):
        with pytest.raises(oss2.exceptions.InvalidArgument):
            bucket_v1.put_bucket_lifecycle(BucketLifecycle([rule(days=days)]))
    with pytest.raises(oss2.exceptions.NoSuchLifecycle):
        bucket_v1.get_bucket_lifecycle()
