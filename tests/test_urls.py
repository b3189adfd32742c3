"""What of a URL is shown."""

from __future__ import annotations

import pytest

from airflow_provider_oss.uri import redacted, shown


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://user:secret@host:8443/a%20b/c.csv?token=secret#part", "https://host:8443/a%20b/c.csv"),
        ("http://host", "http://host"),
        ("https://us@er:p@ss@host/x", "https://host/x"),
    ],
)
def test_shown(url: str, expected: str) -> None:
    """User, password, query and fragment are left out, nothing else."""
    assert shown(url) == expected


@pytest.mark.parametrize(
    "text",
    [
        "HTTPConnectionPool(host='h', port=80): Max retries exceeded with url: /a?token=s3cret&x=1 (Caused by X)",
        "Invalid URL 'https://me:s3cret@host/a?b=s3cret'",
        "<https://me:s3cret@host/?s3cret> broke",
        *(f"with url: /p?q=a{mark}b&token=s3cret (Caused by X)" for mark in (*"()[]<>'\"?", " ")),
        "Failed to parse: http://me:pa@s3cret@host:99999/p",
        "http://me:it's@s3cret@[bad",
    ],
)
def test_redacted(text: str) -> None:
    """The text of an error tells no query and no user."""
    assert "s3cret" not in redacted(text)
    assert "me:" not in redacted(text)


def test_redacted_keeps_the_reason() -> None:
    """What is no URL stays."""
    assert redacted("https://me@host/a: refused") == "https://host/a: refused"
    assert redacted("url: /a?token=1 (Caused by [Errno 111] refused)") == "url: /a?... (Caused by [Errno 111] refused)"
