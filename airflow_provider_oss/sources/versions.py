"""What identifies a source's content so surely that it need not be read again. Pure."""

from __future__ import annotations

import hashlib
from typing import Any

from airflow_provider_oss.model import MAX_VERSION_CHARS


def strong_etag(etag: Any) -> str | None:
    """Return the ETag when it promises equal bytes (RFC 9110, 8.8.1): not a weak one, not an empty one."""
    if not isinstance(etag, str) or etag.startswith("W/") or not etag.strip('"'):
        return None
    return etag


def version_of(*facts: str) -> str:
    """Return the facts as one text; a digest of it when it would be too long for a checkpoint."""
    text = " ".join(facts)
    return text if len(text) <= MAX_VERSION_CHARS else hashlib.sha256(text.encode()).hexdigest()
