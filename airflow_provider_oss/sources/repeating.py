"""Repeating a failed reading, as the calls to OSS are repeated."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from airflow_provider_oss.transfer.retry import RetryPolicy, make_retrying

if TYPE_CHECKING:
    from tenacity import Retrying


def repeating(policy: RetryPolicy) -> Retrying:
    """Return a loop that repeats what raises OSSSourceUnavailable; for use by several threads at once."""
    return make_retrying(policy, threading.Event())
