"""``oss://bucket/key`` to ObjectRef and back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.model import ObjectPrefix, ObjectRef
from airflow_provider_oss.uri import parse_oss_uri, resolve, resolve_prefix
from tests.support.values import keys


@given(key=keys)
def test_any_legal_key_survives_a_uri(key: str) -> None:
    """A key comes back from its URI exactly as it was, whatever characters it has."""
    ref = ObjectRef("exports", key)

    assert parse_oss_uri(ref.uri) == ref


@pytest.mark.parametrize("key", ["a#b?c", "a%2Fb", "a b+c&d=e", "a//b", "a/../b", "?x", "数据/表.csv", "dir/"])
def test_nothing_in_a_key_is_special(key: str) -> None:
    """Everything behind the bucket's slash is the key: no fragment, no query, no escape, no dot segment."""
    assert parse_oss_uri(f"oss://exports/{key}") == ObjectRef("exports", key)


@pytest.mark.parametrize(
    "uri",
    ["", "exports/key", "s3://exports/key", "OSS://exports/key", "oss:/exports/key", "oss://exports", "oss://exports/"],
)
def test_what_names_no_object_is_refused(uri: str) -> None:
    """An address without scheme, bucket or key is an error that repeats it and shows the form it should have."""
    with pytest.raises(OSSInvalidArgument, match="oss://bucket/key") as caught:
        parse_oss_uri(uri)

    assert repr(uri) in str(caught.value)


@pytest.mark.parametrize("uri", ["oss:///key", "oss://Exports/key", "oss://exports//key", "oss://exports/\\key"])
def test_names_that_oss_forbids_are_refused(uri: str) -> None:
    """An address whose bucket or key OSS would refuse is an error."""
    with pytest.raises(OSSInvalidArgument, match="OSS"):
        parse_oss_uri(uri)


@given(text=st.text())
def test_text_is_parsed_or_refused(text: str) -> None:
    """Whatever a user writes is either an object's address or OSSInvalidArgument."""
    try:
        ref = parse_oss_uri(f"oss://{text}")
    except OSSInvalidArgument:
        return
    assert ref.uri == f"oss://{text}"


@pytest.mark.parametrize(
    ("key", "bucket_name", "default_bucket", "expected"),
    [
        ("a/b", None, "default", "oss://default/a/b"),
        ("a/b", "named", "default", "oss://named/a/b"),
        ("a/b", "named", None, "oss://named/a/b"),
        ("oss://own/a/b", None, "default", "oss://own/a/b"),
        ("oss://own/a/b", None, None, "oss://own/a/b"),
        ("oss://own/a/b", "own", "default", "oss://own/a/b"),
        ("oss://own/a/b", "", "default", "oss://own/a/b"),
    ],
)
def test_the_nearest_bucket_wins(key: str, bucket_name: str | None, default_bucket: str | None, expected: str) -> None:
    """The bucket is the one in the key, else the one named beside it, else the connection's."""
    assert resolve(key, bucket_name, default_bucket).uri == expected


def test_two_buckets_are_a_contradiction() -> None:
    """A full address beside another bucket's name is an error that names both."""
    with pytest.raises(OSSInvalidArgument, match=r"key='oss://own/a'.*bucket_name='other'"):
        resolve("oss://own/a", "other", None)


def test_no_bucket_anywhere_says_where_to_put_one() -> None:
    """Without any bucket the error lists the three places for it."""
    with pytest.raises(OSSInvalidArgument, match=r"bucket_name.*oss://bucket/key.*schema"):
        resolve("a", None, None)


@pytest.mark.parametrize(
    ("key", "bucket_name", "complaint"),
    [
        (None, None, "key=None is a NoneType: give text"),
        (5, None, "key=5 is an int: give text"),
        (b"a", None, "key=b'a' is a bytes: give text"),
        ("a\0b", None, r"key='a\\x00b' has a NUL character: remove it"),
        ("oss://exports/a\0b", None, "NUL character"),
        ("a", 5, "bucket_name=5 is an int: give text"),
    ],
)
def test_what_is_no_name_is_refused(key: Any, bucket_name: Any, complaint: str) -> None:
    """A key or bucket that is no text, or has a NUL in it, is an error that names it and the remedy."""
    with pytest.raises(OSSInvalidArgument, match=complaint):
        resolve(key, bucket_name, "exports")


@pytest.mark.parametrize(
    ("key", "bucket_name", "expected"),
    [
        ("a/b", None, ObjectPrefix("default", "a/b/")),
        ("a/b/", "other", ObjectPrefix("other", "a/b/")),
        ("", None, ObjectPrefix("default", "")),
        ("oss://exports", None, ObjectPrefix("exports", "")),
        ("oss://exports/", "exports", ObjectPrefix("exports", "")),
        ("oss://exports/a#b?c", None, ObjectPrefix("exports", "a#b?c/")),
        ("a//", None, ObjectPrefix("default", "a//")),
    ],
)
def test_prefixes(key: str, bucket_name: str | None, expected: ObjectPrefix) -> None:
    """A prefix is empty or has a slash at its end, so that nothing beside it is below it."""
    assert resolve_prefix(key, bucket_name, "default") == expected


@pytest.mark.parametrize(
    ("key", "bucket_name", "reason"),
    [
        ("oss://exports/a", "other", "name two buckets"),
        ("a", "", "no bucket"),
        ("/a", "exports", "begins with '/'"),
        ("oss://exports//a", None, "begins with '/'"),
        ("oss:///a", None, "is not a name OSS allows"),
        ("a\0", "exports", "NUL"),
        ("x" * 1023, "exports", "1024 bytes"),
        (7, "exports", "is an int: give text"),
    ],
)
def test_prefixes_that_are_none(key: Any, bucket_name: str | None, reason: str) -> None:
    """What no object could be below is refused."""
    with pytest.raises(OSSInvalidArgument, match=reason):
        resolve_prefix(key, bucket_name, None)


ADDRESSES = [
    ("s3://exports/a/b.csv", "oss://exports/a/b.csv"),
    ("s3:/exports/a", "oss://exports/a"),
    (" s3://exports/a", "oss://exports/a"),
    ("S3A://exports/a", "oss://exports/a"),
    ("gs://exports/a", "oss://exports/a"),
    ("OSS://exports/a", "oss://exports/a"),
    ("Oss://exports/a", "oss://exports/a"),
    ("oss:/exports/a", "oss://exports/a"),
    (" oss://exports/a", "oss://exports/a"),
    ("\noss://exports/a", "oss://exports/a"),
    ("https://exports.oss-cn-hangzhou.aliyuncs.com/a%20b/c", "oss://exports/a b/c"),
    ("http://exports.oss-cn-hangzhou-internal.aliyuncs.com:80/a", "oss://exports/a"),
    ("https://exports.oss-accelerate.aliyuncs.com/a", "oss://exports/a"),
    ("exports.oss-cn-hangzhou.aliyuncs.com/a", "oss://exports/a"),
    ("https://example.com/a/b", "a/b"),
    ("file:///data/a", "data/a"),
    ("s3://", ""),
]


@pytest.mark.parametrize(("key", "meant"), ADDRESSES)
@pytest.mark.parametrize("bucket_name", [None, "other"])
def test_addresses_are_no_names_to_store(key: str, meant: str, bucket_name: str | None) -> None:
    """Nothing is stored under the address of something else, or one misspelt; the error says what was meant."""
    for find in (resolve, resolve_prefix):
        with pytest.raises(OSSInvalidArgument, match="is an address") as caught:
            find(key, bucket_name, "default", storing=True)
        assert f"did you mean {meant!r}?" in str(caught.value)


@pytest.mark.parametrize(("key", "_"), ADDRESSES)
def test_addresses_name_what_was_stored_by_earlier_versions(key: str, _: str) -> None:
    """What is not about storing takes such keys, and any other does with the whole address before it."""
    assert resolve(key, None, "default") == ObjectRef("default", key)
    assert resolve(f"oss://default/{key}", None, None, storing=True) == ObjectRef("default", key)
    assert resolve_prefix(key, None, "default").prefix.startswith(key)


@pytest.mark.parametrize(
    "key",
    [
        *("a:b", "run=2026-11-21T00:00:00+00:00/a", "scheduled__2026-11-21T00:00:00+00:00/a", "a/s3://b", "12:/a"),
        *("www.example.com/a", "C:/data/a", "oss-cn-hangzhou.aliyuncs.com", "s3", "s3:a"),
    ],
)
def test_names_with_colons_are_names(key: str) -> None:
    """A colon, a time or a host in a key makes no address of it."""
    assert resolve(key, "exports", None, storing=True) == ObjectRef("exports", key)


def test_addresses_keep_their_secrets() -> None:
    """Of a presigned URL, or one with a password, the error shows neither query nor user."""
    for key in (
        "https://exports.oss-cn-hangzhou.aliyuncs.com/a?Signature=geheim",
        "https://user:geheim@example.com/a",
        "exports.oss-cn-hangzhou.aliyuncs.com/a?x=geheim",
        "s3://geheim:geheim@exports/a#geheim",
    ):
        with pytest.raises(OSSInvalidArgument, match="is an address") as caught:
            resolve(key, "exports", None, storing=True)
        assert "geheim" not in str(caught.value)
