"""Where a bucket's objects are: endpoint and addressing style to URLs."""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import quote, urlsplit

from airflow_provider_oss.clients.settings import ClientSettings
from airflow_provider_oss.exceptions import OSSInvalidConnection

_HOST: Final = re.compile(r"[\w.-]+|\[[0-9A-Fa-f:.]+\]")
_DOTS: Final = {".": "%2E", "..": "%2E%2E"}
"""Keys that a client would resolve as the path of a directory, if they were not escaped."""


class Addressing:
    """
    Makes the URLs of objects.

    The bucket is part of the host name (virtual-hosted style), or of the path where ``addressing_style`` says so or the
    host is an IP address or localhost; with ``cname`` the host alone tells it. Raises OSSInvalidConnection for an
    endpoint that cannot be one.
    """

    def __init__(self, settings: ClientSettings) -> None:
        parts = urlsplit(settings.endpoint)
        host = parts.netloc.rpartition(":")[0] if parts.port is not None else parts.netloc
        if not _HOST.fullmatch(host):
            raise OSSInvalidConnection(f"endpoint {settings.endpoint!r} cannot be used: it is no host name")
        self._scheme, self._netloc = parts.scheme, parts.netloc
        self._style = "path" if _is_local(host) else settings.addressing_style

    def url(self, bucket: str, key: str) -> str:
        """Return the URL of an object, or of the bucket for no key. Slashes are escaped too: a path has no ``..``."""
        return self._bucket_url(bucket) + _DOTS.get(key, quote(key, safe=""))

    def _bucket_url(self, bucket: str) -> str:
        if self._style == "cname":
            return f"{self._scheme}://{self._netloc}/"
        if self._style == "path":
            return f"{self._scheme}://{self._netloc}/{bucket}/"
        return f"{self._scheme}://{bucket}.{self._netloc}/"


def _is_local(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
