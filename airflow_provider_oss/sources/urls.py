"""What of a URL may be shown: user names, passwords and queries may be secrets. Pure."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit, urlunsplit

_QUERY: Final = re.compile(r"\?[^\s'\"<>)\]]+")
_USERINFO: Final = re.compile(r"(?<=//)[^/\s'\"@]*@")


def shown(url: str) -> str:
    """Return the URL without user, password, query and fragment."""
    try:
        parts = urlsplit(url)
    except ValueError:  # no URL
        return redacted(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def redacted(text: str) -> str:
    """Return the text of an error without the queries and users of the URLs in it, whole URLs or not."""
    return _USERINFO.sub("", _QUERY.sub("?...", text))
