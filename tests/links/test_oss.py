"""The address of a folder in the OSS console."""

from __future__ import annotations

import pytest

from airflow_provider_oss.links.oss import console_url
from airflow_provider_oss.model import ObjectPrefix

CONSOLE = "https://oss.console.aliyun.com/bucket"


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://oss-cn-hangzhou.aliyuncs.com",
        "http://oss-cn-hangzhou-internal.aliyuncs.com:80",
        "https://oss-accelerate.aliyuncs.com",
        "https://cn-hangzhou.oss.aliyuncs.com",
    ],
)
def test_endpoints_of_the_public_cloud(endpoint: str) -> None:
    """Whichever of its endpoints is used, the console shows the bucket by its region."""
    url = console_url(endpoint, "cn-hangzhou", ObjectPrefix("exports", "daily/"))
    assert url == f"{CONSOLE}/oss-cn-hangzhou/exports/object?path=daily%2F"


@pytest.mark.parametrize(
    ("endpoint", "region"),
    [
        ("http://127.0.0.1:9000", "cn-hangzhou"),
        ("https://oss.corp.example", "cn-hangzhou"),
        ("https://aliyuncs.com.example", "cn-hangzhou"),
        ("https://downloads.example", "cn-hangzhou"),
        ("https://oss-accelerate.aliyuncs.com", None),
    ],
)
def test_no_console_shows_it(endpoint: str, region: str | None) -> None:
    """A local server, a private cloud, a domain of one's own, an unknown region: no link is better than a dead one."""
    assert console_url(endpoint, region, ObjectPrefix("exports", "daily/")) == ""


@pytest.mark.parametrize(
    ("prefix", "query"), [("", ""), ("a b/", "?path=a%20b%2F"), ("报#?&/%41/", "?path=%E6%8A%A5%23%3F%26%2F%2541%2F")]
)
def test_the_folder_is_escaped(prefix: str, query: str) -> None:
    """Every character of the folder reaches the console; a whole bucket needs none."""
    url = console_url("https://oss-us-east-1.aliyuncs.com", "us-east-1", ObjectPrefix("exports", prefix))
    assert url == f"{CONSOLE}/oss-us-east-1/exports/object{query}"
