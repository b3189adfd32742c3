"""The forms of endpoints."""

from __future__ import annotations

import pytest

from airflow_provider_oss.hooks.connection import bracketed, is_address, region_of, without_bucket

PUBLIC_CLOUD = (
    "cn-hangzhou", "cn-shanghai", "cn-nanjing", "cn-fuzhou", "cn-wuhan-lr", "cn-qingdao", "cn-beijing",
    "cn-zhangjiakou", "cn-huhehaote", "cn-wulanchabu", "cn-shenzhen", "cn-heyuan", "cn-guangzhou", "cn-chengdu",
    "cn-hongkong", "cn-zhengzhou-jva", "ap-northeast-1", "ap-northeast-2", "ap-southeast-1", "ap-southeast-3",
    "ap-southeast-5", "ap-southeast-6", "ap-southeast-7", "ap-southeast-8", "eu-central-1", "eu-west-1", "us-west-1",
    "us-east-1", "na-south-1", "me-east-1", "me-central-1", "cn-north-2-gov-1", "cn-shanghai-finance-1",
    "cn-shenzhen-finance-1", "cn-beijing-finance-1",
)  # fmt: skip

OTHERS = [
    ("oss-rg-china-mainland.aliyuncs.com", "rg-china-mainland"),
    # Finance clouds, which have names of their own in their endpoints
    ("oss-cn-hzjbp-a-internal.aliyuncs.com", "cn-hangzhou-finance"),
    ("oss-cn-hzjbp-b-internal.aliyuncs.com", "cn-hangzhou-finance"),
    ("oss-cn-hzfinance.aliyuncs.com", "cn-hangzhou-finance"),
    ("oss-cn-hzfinance-internal.aliyuncs.com", "cn-hangzhou-finance"),
    ("cn-hangzhou-finance.oss.aliyuncs.com", "cn-hangzhou-finance"),
    ("oss-cn-shanghai-finance-1-pub.aliyuncs.com", "cn-shanghai-finance-1"),
    ("oss-cn-shanghai-finance-1-pub-internal.aliyuncs.com", "cn-shanghai-finance-1"),
    ("cn-shanghai-finance.oss.aliyuncs.com", "cn-shanghai-finance-1"),
    ("oss-cn-szfinance.aliyuncs.com", "cn-shenzhen-finance-1"),
    ("oss-cn-szfinance-internal.aliyuncs.com", "cn-shenzhen-finance-1"),
    ("cn-shenzhen-finance.oss.aliyuncs.com", "cn-shenzhen-finance-1"),
    ("oss-cn-beijing-finance-1-pub.aliyuncs.com", "cn-beijing-finance-1"),
    ("oss-cn-beijing-finance-1-pub-internal.aliyuncs.com", "cn-beijing-finance-1"),
    # Accelerators, which are in a zone; the second is what they were called before
    ("cn-hangzhou-j-internal.oss-data-acc.aliyuncs.com", "cn-hangzhou"),
    ("cn-beijing-h-internal.oss-data-acc.aliyuncs.com", "cn-beijing"),
    ("cn-hangzhou-internal.oss-data-acc.aliyuncs.com", "cn-hangzhou"),
    ("cn-hangzhou.oss-data-acc.aliyuncs.com", "cn-hangzhou"),
    ("oss-cache-cn-beijing-h.aliyuncs.com", "cn-beijing"),
]
NO_REGION = [
    "oss-accelerate.aliyuncs.com",
    "oss-accelerate-overseas.aliyuncs.com",
    "oss.aliyuncs.com",
    "oss-internal.aliyuncs.com",
    "cb-f8z7yvzgwfkl9q0h.cn-shenzhen.oss-cloudbox.aliyuncs.com",
    "files.example.com",
    "oss-cn-hangzhou.aliyuncs.com.example",
    "oss-cn-hangzhou.example.com",
    "oss-cn-hangzhou.aliyuncsxcom",
    "aliyuncs.com",
    "localhost",
    "127.0.0.1",
    "[::1]",
]


@pytest.mark.parametrize("region", PUBLIC_CLOUD)
@pytest.mark.parametrize(
    "form",
    [
        "oss-{}.aliyuncs.com",
        "oss-{}-internal.aliyuncs.com",
        "{}.oss.aliyuncs.com",
        "{}-internal.oss.aliyuncs.com",
        "vpc100-oss-{}.aliyuncs.com",
        "s3.oss-{}.aliyuncs.com",
        "s3.oss-{}-internal.aliyuncs.com",
        "{}.oss-dls.aliyuncs.com",
        "{}-internal.oss-dls.aliyuncs.com",
    ],
)
def test_regions_of_the_public_cloud(form: str, region: str) -> None:
    """Public, internal, dual stack, old VPC, S3-compatible and data lake endpoints tell their region."""
    assert region_of(form.format(region)) == region
    assert without_bucket(form.format(region)) is None
    assert without_bucket("exports." + form.format(region)) == ("exports", form.format(region))


@pytest.mark.parametrize(("host", "region"), OTHERS)
def test_regions_of_other_endpoints(host: str, region: str) -> None:
    """Endpoints that stand alone in OSS's documentation tell their region too."""
    assert region_of(host) == region
    assert without_bucket(host) is None
    assert without_bucket(f"exports.{host}") == ("exports", host)


@pytest.mark.parametrize("host", NO_REGION)
def test_hosts_that_tell_no_region(host: str) -> None:
    """Of acceleration, of domains of one's own and of anything else the region has to be told; none has a bucket."""
    assert region_of(host) is None
    assert without_bucket(host) is None


def test_a_bucket_before_acceleration() -> None:
    """A bucket is found before endpoints without a region too."""
    for endpoint in ("oss-accelerate.aliyuncs.com", "oss-accelerate-overseas.aliyuncs.com"):
        assert without_bucket(f"exports.{endpoint}") == ("exports", endpoint)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("::1", "[::1]"),
        ("fe80::1:2", "[fe80::1:2]"),
        ("[::1]", "[::1]"),
        ("127.0.0.1:9000", "127.0.0.1:9000"),
        ("files.example.com", "files.example.com"),
        ("", ""),
    ],
)
def test_addresses_get_their_brackets(host: str, expected: str) -> None:
    """Airflow takes the host out of a URI, and an IPv6 address comes out of it without brackets."""
    assert bracketed(host) == expected


def test_what_is_in_brackets() -> None:
    """Only an IPv6 address may be."""
    assert is_address("[::1]")
    assert not is_address("[127.0.0.1]")
    assert not is_address("[:::1]")
