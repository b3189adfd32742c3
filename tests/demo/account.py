"""What each attempt did, worked out from what the server received and from what Airflow recorded. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_oss.emulator import RecordedRequest
    from tests.support.airflow_database import TaskInstanceRow

_SENDING = {"UploadPart", "PutObject"}


class BrokenPromiseError(Exception):
    """Something is not as this package promises."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of the task."""

    number: int
    ended_by: str
    sent_bytes: int
    """Received by the server, broken-off requests included."""
    verified_bytes: int
    """Stored by earlier attempts, read again by this one and found equal; of a killed attempt as its log said last."""
    skipped_bytes: int
    """Stored by earlier attempts and not sent again by this one."""
    seconds: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an attempt left that the server's ledger does not say."""

    ended_by: str
    held_parts: Mapping[int, int]
    """Number to size in bytes of the parts that OSS held when the attempt began."""
    verified_bytes: int


def account(
    rows: Sequence[TaskInstanceRow], requests: Sequence[RecordedRequest], evidence: Sequence[Evidence]
) -> list[Attempt]:
    """Return the attempts; ``rows`` and ``evidence`` have one entry for each, in order."""
    starts = [row.start_date.timestamp() for row in rows if row.start_date is not None]
    windows = pairwise([*starts, float("inf")])
    return [
        _attempt(row, known, [request for request in requests if begin <= request.started_at < end])
        for row, known, (begin, end) in zip(rows, evidence, windows, strict=True)
    ]


def upload_id_of(requests: Sequence[RecordedRequest]) -> str | None:
    """Return the id of the one upload that all parts went to; None when there were no parts."""
    ids = {request.upload_id for request in requests if request.operation == "UploadPart"}
    if len(ids) > 1:
        raise BrokenPromiseError(f"the attempts used {len(ids)} multipart uploads instead of one")
    return next(iter(ids), None)


def sent_again_bytes(attempts: Sequence[Attempt], requests: Sequence[RecordedRequest], size_bytes: int) -> int:
    """Return how many bytes were sent more than once: all of them were in flight at a kill."""
    acknowledged = sum(request.bytes_received for request in _sending(requests) if request.status == 200)
    if acknowledged > size_bytes:
        raise BrokenPromiseError(f"{acknowledged - size_bytes} bytes were sent again though OSS had acknowledged them")
    return sum(attempt.sent_bytes for attempt in attempts) - size_bytes


def _attempt(row: TaskInstanceRow, known: Evidence, requests: Sequence[RecordedRequest]) -> Attempt:
    sending = _sending(requests)
    sent_again = {request.part_number for request in sending}
    started, ended = row.start_date, row.end_date
    return Attempt(
        number=row.try_number,
        ended_by=known.ended_by,
        sent_bytes=sum(request.bytes_received for request in sending),
        verified_bytes=known.verified_bytes,
        skipped_bytes=sum(size for number, size in known.held_parts.items() if number not in sent_again),
        seconds=(ended - started).total_seconds() if started and ended else 0.0,
    )


def _sending(requests: Sequence[RecordedRequest]) -> list[RecordedRequest]:
    return [request for request in requests if request.operation in _SENDING]
