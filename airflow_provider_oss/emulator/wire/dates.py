"""The three ways in which OSS writes a time. All functions take and return seconds since the epoch."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import formatdate
from typing import Final

_BASIC_FORMAT: Final = "%Y%m%dT%H%M%SZ"
_XML_FORMAT: Final = "%Y-%m-%dT%H:%M:%S.000Z"
_HTTP_FORMAT: Final = "%a, %d %b %Y %H:%M:%S GMT"


def http_date(at: float) -> str:
    """``Sat, 05 Dec 2015 11:10:29 GMT``."""
    return formatdate(at, usegmt=True)


def xml_date(at: float) -> str:
    """``2015-12-05T11:10:29.000Z``; the milliseconds are always zero, one client refuses anything else."""
    return datetime.fromtimestamp(at, UTC).strftime(_XML_FORMAT)


def parse_xml_date(text: str) -> float:
    """Read what ``xml_date`` writes. Raises ValueError for anything else."""
    return datetime.strptime(text.strip(), _XML_FORMAT).replace(tzinfo=UTC).timestamp()


def parse_http_date(text: str) -> float:
    """Read an RFC 7231 date. Raises ValueError for anything else."""
    return datetime.strptime(text.strip(), _HTTP_FORMAT).replace(tzinfo=UTC).timestamp()


def parse_basic_date(text: str) -> float:
    """Read ``20151205T111029Z``. Raises ValueError for anything else."""
    return datetime.strptime(text.strip(), _BASIC_FORMAT).replace(tzinfo=UTC).timestamp()
