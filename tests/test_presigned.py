"""What of a presigned URL is secret."""

from __future__ import annotations

import pytest

from airflow_provider_oss.uri import secrets_of_url


@pytest.mark.parametrize(
    ("query", "secrets"),
    [
        ("x-oss-date=20261124T000000Z&x-oss-signature=0a1b", {"0a1b"}),
        (
            "OSSAccessKeyId=id&Expires=1&Signature=a%2Bb%2F%3D",
            {"a%2Bb%2F%3D", "a+b/=", "a%2Bb/%3D"},
        ),
        (
            "x-oss-signature=0a&x-oss-security-token=t%2Fk%3D&x=1",
            {"0a", "t%2Fk%3D", "t/k=", "t/k%3D"},
        ),
        ("Signature=s&security-token=tok", {"s", "tok"}),
        ("a=b", set()),
    ],
)
def test_secrets(query: str, secrets: set[str]) -> None:
    """Signature and security token, as they are and as they are written in URLs."""
    assert secrets_of_url(f"https://b.oss-cn-hangzhou.aliyuncs.com/key?{query}") == secrets
