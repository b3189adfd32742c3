"""The log of requests: one line each, as they end. It has no URL, for a presigned one is as good as a password."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_provider_oss.emulator.readable import milliseconds, place, size

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_oss.emulator.ledger import RecordedRequest


def start_log(records: Iterable[RecordedRequest], file_number: int) -> threading.Thread:
    """
    Write a line for each record into an open file, in a thread of its own until the records end; return the thread.

    Nothing waits for who reads the file: neither the server, nor the end of the process, which is why the lines go
    past Python's own buffer. When the reader has gone, no more is written.
    """
    thread = threading.Thread(target=_write, args=(records, file_number), name="oss-request-log", daemon=True)
    thread.start()
    return thread


def line(record: RecordedRequest) -> str:
    """Return a record as one line, whatever its key contains."""
    time = datetime.fromtimestamp(record.ended_at).astimezone().strftime("%H:%M:%S")
    status = "---" if record.status is None else record.status
    details = [
        "no answer" if record.status is None else record.code or "",
        f"part {record.part_number}" if record.part_number is not None else "",
        f"{size(record.bytes_received)} received" if record.bytes_received else "",
        milliseconds(record),
    ]
    shown = ", ".join(filter(None, details))
    return f"{time}  {status}  {record.operation:<23}  {place(record.bucket, record.key)}  {shown}"


def _write(records: Iterable[RecordedRequest], file_number: int) -> None:
    with suppress(OSError):
        for record in records:
            os.write(file_number, f"{line(record)}\n".encode("utf-8", "replace"))
