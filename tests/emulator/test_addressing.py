"""Host and path to bucket and key."""

from __future__ import annotations

import pytest

from airflow_provider_oss.emulator.addressing import is_bucket_name, readings
from airflow_provider_oss.emulator.wire.http import Target


@pytest.mark.parametrize(
    ("host", "path", "expected"),
    [
        ("127.0.0.1:80", b"/b-1/k", [Target("b-1", "k")]),
        ("127.0.0.1", b"/", [Target()]),
        ("127.0.0.1", b"/b-1", [Target("b-1")]),
        ("127.0.0.1", b"/b-1/", [Target("b-1")]),
        ("[::1]:80", b"/b-1/k", [Target("b-1", "k")]),
        ("localhost:80", b"/b-1/k", [Target("b-1", "k")]),
        ("", b"/b-1/k", [Target("b-1", "k")]),
        ("b-1.localhost:80", b"/k/l", [Target("b-1", "k/l"), Target("k", "l")]),
        ("b-1.oss-cn-hangzhou.aliyuncs.com", b"/b-1/k", [Target("b-1", "b-1/k"), Target("b-1", "k")]),
        ("b-1.oss-cn-hangzhou-internal.aliyuncs.com", b"/k", [Target("b-1", "k"), Target("k")]),
        ("b-1.cn-hangzhou.oss.aliyuncs.com", b"/k", [Target("b-1", "k"), Target("k")]),
        ("oss-cn-hangzhou.aliyuncs.com", b"/b-1/k", [Target("b-1", "k")]),
        ("oss.internal:9000", b"/b-1/k", [Target("b-1", "k"), Target("oss", "b-1/k")]),
        ("server:9000", b"/b-1/k", [Target("b-1", "k")]),
        ("files.example.com", b"/b-1/k", [Target("exports", "b-1/k")]),
        ("FILES.example.com:80", b"/", [Target("exports")]),
        ("127.0.0.1", b"/b-1/a%2F..%2Fb%20c+d%2B", [Target("b-1", "a/../b c+d+")]),
        ("127.0.0.1", b"/b-1//k", [Target("b-1", "/k")]),
        ("127.0.0.1", b"/b-1/%25", [Target("b-1", "%")]),
    ],
)
def test_readings(host: str, path: bytes, expected: list[Target]) -> None:
    """Every style of address gives its readings, the likeliest first, with the key decoded once."""
    assert list(readings(host, path, {"files.example.com": "exports"})) == expected


@pytest.mark.parametrize(
    ("name", "valid"),
    [
        ("abc", True),
        ("a" * 63, True),
        ("a-1", True),
        ("ab", False),
        ("a" * 64, False),
        ("-ab", False),
        ("ab-", False),
        ("aBc", False),
        ("a_b", False),
        ("a.b", False),
        ("abc\n", False),
        ("-", False),
    ],
)
def test_bucket_names(name: str, valid: bool) -> None:  # noqa: FBT001 - a column of the table above
    """A bucket name is 3 to 63 of a-z, 0-9 and -, first and last alphanumeric."""
    assert is_bucket_name(name) is valid
