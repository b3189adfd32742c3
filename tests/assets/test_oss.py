"""Assets of objects: Airflow's own Asset asks the installed provider's handler."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from airflow.providers.common.compat.sdk import Asset
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_oss.assets.oss import convert_asset_to_openlineage, create_asset, sanitize_uri
from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.limits import MAX_KEY_BYTES
from airflow_provider_oss.model import check_key


def is_key(text: str) -> bool:
    """Whether OSS allows it."""
    try:
        check_key(text)
    except OSSInvalidArgument:
        return False
    return True


KEYS = (
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=100)
    .map(lambda text: text.rstrip("/"))
    .filter(is_key)
)


@given(KEYS)
def test_a_key_comes_back_from_its_asset(key: str) -> None:
    """Factory, Airflow's normalisation and OpenLineage's name lead back to the very key, whatever characters it has."""
    asset = create_asset(bucket="exports", key=key)
    named = convert_asset_to_openlineage(asset, None)
    assert (named.namespace, named.name) == ("oss://exports", key)
    assert Asset(uri=asset.uri) == Asset(asset.uri) == asset
    assert asset.normalized_uri == asset.uri
    assert asset.uri.isascii()


@pytest.mark.parametrize(
    ("written", "uri"),
    [
        ("oss://exports/dt=2026-11-24/part-0.csv", "oss://exports/dt=2026-11-24/part-0.csv"),
        ("OSS://exports/a b.csv", "oss://exports/a%20b.csv"),
        ("oss://exports/报告.csv", "oss://exports/%E6%8A%A5%E5%91%8A.csv"),
        ("oss://exports/%e6%8a%a5%e5%91%8a.csv", "oss://exports/%E6%8A%A5%E5%91%8A.csv"),
        ("oss://exports/100%.csv", "oss://exports/100%25.csv"),
        ("oss://exports/a%23b%3Fc.csv", "oss://exports/a%23b%3Fc.csv"),
        ("oss://oss_default@exports/a.csv", "oss://exports/a.csv"),
        ("oss://exports/daily///", "oss://exports/daily"),
        ("oss://exports/daily%2F", "oss://exports/daily"),
        ("oss://exports/a//b", "oss://exports/a//b"),
        ("oss://exports", "oss://exports/"),
        ("oss://exports/", "oss://exports/"),
    ],
)
def test_all_ways_to_write_an_address_are_one_asset(written: str, uri: str) -> None:
    """Escaped or not, with a connection or without, with slashes at its end or without: the URI is the same."""
    assert sanitize_uri(urlsplit(written)).geturl() == uri
    assert Asset(uri=uri).uri == uri


def test_airflow_asks_for_that_form() -> None:
    """Airflow's Asset has the URI in that form, whoever writes it."""
    assert Asset(uri="oss://exports/100%.csv/").uri == "oss://exports/100%25.csv"


@pytest.mark.parametrize("key", ["daily", "daily/", "daily//", "a b/报告.csv", ""])
def test_one_object_is_one_asset(key: str) -> None:
    """With a slash at the end or without, and by its URI too: Airflow 3 compares names, and they are the same."""
    asset = create_asset(bucket="exports", key=key)
    assert create_asset(bucket="exports", key=key.rstrip("/")) == Asset(asset.uri) == asset


def test_a_bucket_and_a_prefix() -> None:
    """Without a key the asset is the whole bucket; a prefix loses the slash at its end."""
    bucket, prefix = (create_asset(bucket="exports", key=key) for key in ("", "daily/2026/"))
    assert [convert_asset_to_openlineage(each, None).name for each in (bucket, prefix)] == ["/", "daily/2026"]


def test_extra_is_kept() -> None:
    """The factory gives the asset the extra that it is given."""
    assert create_asset(bucket="exports", key="a", extra={"rows": 3}).extra == {"rows": 3}
    assert not create_asset(bucket="exports", key="a").extra


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("oss:///key", "bucket_name='' is not a name OSS allows"),
        ("oss://Exports/key", "bucket_name='Exports' is not a name OSS allows"),
        ("oss://exports:80/key", "bucket_name='exports:80' is not a name OSS allows"),
        ("oss://exports//key", "begins with '/'"),
        ("oss://exports/" + "k" * (MAX_KEY_BYTES + 1), f"OSS allows 1 to {MAX_KEY_BYTES}"),
        ("oss://exports/%ff", "invalid start byte"),
        ("oss://exports/a.csv?version=2", "write a question mark of the key as %3F"),
    ],
    ids=["no bucket", "capitals", "port", "slash", "long", "no UTF-8", "query"],
)
def test_what_oss_would_refuse_is_no_asset(uri: str, message: str) -> None:
    """An address that can be no object's is refused when the asset is made, with what is wrong about it."""
    with pytest.raises((ValueError, UserWarning), match=message.replace("?", r"\?")):  # Airflow 2 warns
        Asset(uri=uri)


@pytest.mark.parametrize("key", ["/", "//"])
def test_slashes_alone_are_no_key(key: str) -> None:
    """They are not taken for the whole bucket."""
    with pytest.raises(ValueError, match=f"key='{key}' is no key"):
        create_asset(bucket="exports", key=key)


def test_a_key_that_is_too_long_for_airflow() -> None:
    """A key whose percent-encoded form Airflow has no room for is refused by Airflow."""
    with pytest.raises(ValueError, match=r"(?i)exceed|length"):
        create_asset(bucket="exports", key="报" * 341)
