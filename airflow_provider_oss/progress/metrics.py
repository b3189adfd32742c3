"""What an attempt has transferred, as Airflow's own metrics, and as attributes of the span where there is a trace."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from airflow_provider_oss.progress.record import TransferRecord
from airflow_provider_oss.shown import Log

log = Log(__name__)

COUNTERS: Final[Mapping[str, str]] = {
    "oss.transfer.bytes_sent": "Bytes that were sent, received or copied.",
    "oss.transfer.bytes_skipped": "Bytes that were there already, verified, and not sent again.",
    "oss.transfer.parts_retried": "Tries that failed and were repeated.",
    "oss.transfer.resumes": "Attempts that used what an earlier one has stored.",
}
"""By name, what is counted; each has the tag ``kind``."""
ENDED: Final = "oss.transfer.attempts"
"""Attempts that have ended; with the tags ``kind`` and ``state``."""
DURATION: Final = "oss.transfer.duration"
"""Of an attempt; with the tags ``kind`` and ``state``."""


def counts_of(record: TransferRecord) -> dict[str, int]:
    """Return by name what an attempt adds to the counters."""
    has_resumed = record.verified > 0
    values = (record.sent, record.verified + record.skipped, record.retried, int(has_resumed))
    return dict(zip(COUNTERS, values, strict=True))


def report_attempt(record: TransferRecord) -> None:
    """Report an attempt that has ended. What Airflow's metrics or traces raise is logged, and that is all."""
    try:
        _count(record)
        _describe_span(record)
    except Exception as error:  # noqa: BLE001 - whatever a backend raises, the transfer has ended as it has
        log.warning("The metrics of the transfer could not be reported: %s", error)


def _count(record: TransferRecord) -> None:
    from airflow.providers.common.compat.sdk import Stats  # noqa: PLC0415 - where it may fail

    kind = {"kind": record.kind}
    for name, count in counts_of(record).items():
        if count:
            Stats.incr(name, count, tags=kind)
    ended = {**kind, "state": record.state}
    Stats.incr(ENDED, 1, tags=ended)
    Stats.timing(DURATION, timedelta(seconds=record.attempts[-1].seconds), tags=ended)


def _describe_span(record: TransferRecord) -> None:
    """Add the figures to the span that is under way; OpenTelemetry is not imported for that."""
    trace: Any = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return
    span = trace.get_current_span()
    span.set_attribute("oss.transfer.kind", record.kind)
    for name, count in counts_of(record).items():
        span.set_attribute(name, count)
