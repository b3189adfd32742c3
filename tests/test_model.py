"""The values that cross borders inside the package."""

from __future__ import annotations

import json

import pytest
from hypothesis import given

from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.model import Fingerprint, ObjectPrefix, ObjectRef, Progress, UploadResult
from tests.support.source_text import occurrences
from tests.support.values import keys


@pytest.mark.parametrize("bucket", ["abc", "a-b", "0a9", "a" * 63])
def test_buckets_that_oss_allows(bucket: str) -> None:
    """A bucket name that follows OSS's rules makes an address."""
    assert ObjectRef(bucket, "key").uri == f"oss://{bucket}/key"


@pytest.mark.parametrize("bucket", ["", "ab", "a" * 64, "Abc", "a_b", "a.b", "-ab", "ab-", "a b", "abc\n", "büro"])
def test_buckets_that_oss_forbids(bucket: str) -> None:
    """Any other bucket name is an error that repeats it and states the rule."""
    with pytest.raises(OSSInvalidArgument, match="3 to 63 characters") as caught:
        ObjectRef(bucket, "key")

    assert repr(bucket) in str(caught.value)


def test_one_home() -> None:
    """What a bucket's name may be is written once."""
    assert occurrences(r"a-z0-9-\]\{1,61\}") == {"model.py"}


@given(key=keys)
def test_keys_that_oss_allows(key: str) -> None:
    """Any text of 1 to 1023 bytes of UTF-8 that begins with no slash is a key."""
    assert str(ObjectRef("exports", key)) == f"oss://exports/{key}"


def test_a_key_is_measured_in_bytes() -> None:
    """1023 bytes are allowed and 1024 are not, however many characters they are."""
    assert ObjectRef("exports", "字" * 341).key == "字" * 341
    with pytest.raises(OSSInvalidArgument, match="1024 bytes"):
        ObjectRef("exports", "字" * 341 + "a")


@pytest.mark.parametrize(
    ("key", "complaint"),
    [
        ("", "0 bytes"),
        ("a" * 1024, "1024 bytes"),
        ("/a", "begins with '/'"),
        ("\\a", "begins with"),
        ("a\ud800", "cannot be written as UTF-8"),
    ],
)
def test_keys_that_oss_forbids(key: str, complaint: str) -> None:
    """Any other key is an error that says what is wrong with it and stays one readable line."""
    with pytest.raises(OSSInvalidArgument, match=complaint) as caught:
        ObjectRef("exports", key)

    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("progress", "done_bytes", "fraction"),
    [
        (Progress(0), 0, 1.0),
        (Progress(10), 0, 0.0),
        (Progress(10, sent_bytes=2, verified_bytes=3), 5, 0.5),
        (Progress(10, sent_bytes=4, verified_bytes=6), 10, 1.0),
        (Progress(10, sent_bytes=8, verified_bytes=3, doubtful_bytes=6), 5, 0.5),
        (Progress(None, sent_bytes=8, verified_bytes=3), 11, 0.0),
    ],
)
def test_progress_counts_what_is_stored(progress: Progress, done_bytes: int, fraction: float) -> None:
    """What was sent and verified is done; an empty source is from the beginning, a stream without a length never."""
    assert (progress.done_bytes, progress.fraction) == (done_bytes, fraction)


def test_a_result_is_plain_data() -> None:
    """A result becomes JSON and back without loss, all of its fields included."""
    result = UploadResult(
        bucket="exports",
        key="a",
        uri="oss://exports/a",
        size=3,
        etag="E",
        crc64="18446744073709551615",
        version_id=None,
        request_id="R",
        attempts=2,
        resumed=True,
        bytes_sent=1,
        bytes_verified=2,
        elapsed_seconds=0.5,
        callback_response={"Status": "OK"},
    )

    assert json.loads(json.dumps(result.as_dict())) == {
        "bucket": "exports",
        "key": "a",
        "uri": "oss://exports/a",
        "size": 3,
        "etag": "E",
        "crc64": "18446744073709551615",
        "version_id": None,
        "request_id": "R",
        "attempts": 2,
        "resumed": True,
        "bytes_sent": 1,
        "bytes_verified": 2,
        "elapsed_seconds": 0.5,
        "callback_response": {"Status": "OK"},
    }


def test_versions_tell_whether_the_content_is_the_same() -> None:
    """Only a version, with the name and the size that it belongs to, says that the bytes are the same."""
    known = Fingerprint("name", 10, "2026", version="v1")
    assert known.is_same_content(Fingerprint("name", 10, "2027", version="v1"))
    for other in (
        Fingerprint("name", 10, "2026", version="v2"),
        Fingerprint("name", 11, "2026", version="v1"),
        Fingerprint("other", 10, "2026", version="v1"),
        Fingerprint("name", 10, "2026"),
    ):
        assert not known.is_same_content(other)
        assert not other.is_same_content(known)
    assert not Fingerprint("name", 10, "2026").is_same_content(Fingerprint("name", 10, "2026"))


@pytest.mark.parametrize("version", ["", "v" * 129])
def test_versions_that_do_not_fit(version: str) -> None:
    """A version that a checkpoint has no room for is an error that says what to do."""
    with pytest.raises(OSSInvalidArgument, match="use 1 to 128, a digest"):
        Fingerprint("name", 10, version=version)


def test_names_below_a_prefix() -> None:
    """A name below a prefix and its object lead to one another; what OSS would refuse is refused."""
    prefix = ObjectPrefix("exports", "a/b/")
    ref = prefix.ref("c/d")
    assert (ref, prefix.below(ref)) == (ObjectRef("exports", "a/b/c/d"), "c/d")
    assert str(prefix) == prefix.uri == "oss://exports/a/b/"
    assert ObjectPrefix("exports", "").ref("x").key == "x"
    with pytest.raises(OSSInvalidArgument, match="cannot be written as UTF-8"):
        prefix.ref("\udcff")
