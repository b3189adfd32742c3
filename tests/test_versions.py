"""What counts as a strong identity."""

from __future__ import annotations

import pytest

from airflow_provider_oss.model import MAX_VERSION_CHARS
from airflow_provider_oss.proof import strong_etag, version_of


@pytest.mark.parametrize(
    ("etag", "expected"),
    [('"abc"', '"abc"'), ("abc", "abc"), ('W/"abc"', None), ('""', None), ("", None), (None, None), (5, None)],
)
def test_strong_etag(etag: object, expected: str | None) -> None:
    """Only an ETag that is there and not weak stands for equal bytes."""
    assert strong_etag(etag) == expected


def test_version_fits() -> None:
    """A version is at most as long as a checkpoint has room for, and differs where its facts do."""
    long = "x" * 500
    assert version_of("etag", "a") == "etag a"
    assert len(version_of(long, "a")) <= MAX_VERSION_CHARS
    assert version_of(long, "a") != version_of(long, "b")
