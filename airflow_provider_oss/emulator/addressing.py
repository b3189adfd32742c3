"""
Host and path of a request to the bucket and key that it may mean. Pure.

A path alone does not show the addressing style: one client sends ``/BUCKET/KEY`` together with a host that names the
bucket as well. So the answer is a list of readings, the likeliest first; the signature decides which one is meant.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Final

from airflow_provider_oss.emulator.wire.http import Target, decode_percent

if TYPE_CHECKING:
    from collections.abc import Mapping

_BUCKET_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{1,61})[a-z0-9]")
_PUBLIC_BASE: Final = re.compile(r"oss-[a-z0-9-]+\.aliyuncs\.com|[a-z0-9-]+\.oss\.aliyuncs\.com|localhost")


def is_bucket_name(name: str) -> bool:
    """Whether OSS accepts the name: 3-63 of ``a-z 0-9 -``, first and last alphanumeric."""
    return _BUCKET_NAME.fullmatch(name) is not None


def names_this_machine(host_header: str) -> bool:
    """Whether the Host header is an IP address or ``localhost``: no bucket, and no name that others can give away."""
    host = _without_port(host_header).lower()
    return host == "localhost" or _is_ip(host)


def readings(host_header: str, raw_path: bytes, cname_buckets: Mapping[str, str]) -> tuple[Target, ...]:
    """
    Return all that the address can mean, the likeliest first; never empty.

    ``cname_buckets`` maps a custom domain (lower-case, without port) to its bucket.
    """
    host = _without_port(host_header).lower()
    if host in cname_buckets:
        return (_with_bucket(cname_buckets[host], raw_path),)
    by_path = _from_path(raw_path)
    first_label, _, base = host.partition(".")
    if _is_ip(host) or not base or _PUBLIC_BASE.fullmatch(host) or not is_bucket_name(first_label):
        return (by_path,)
    by_host = _with_bucket(first_label, raw_path)
    return (by_host, by_path) if _PUBLIC_BASE.fullmatch(base) else (by_path, by_host)


def _with_bucket(bucket: str, raw_path: bytes) -> Target:
    return Target(bucket, decode_percent(raw_path[1:]))


def _from_path(raw_path: bytes) -> Target:
    bucket, _, key = raw_path[1:].partition(b"/")
    return Target(decode_percent(bucket), decode_percent(key))


def _without_port(host_header: str) -> str:
    if host_header.startswith("["):
        return host_header[1:].partition("]")[0]
    return host_header.partition(":")[0]


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
