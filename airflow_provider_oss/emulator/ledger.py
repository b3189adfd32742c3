"""The record of each request that arrived, in the order in which the requests ended."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_MAX_RECORDS: Final = 100_000


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """A request that ended. Times are seconds since the epoch by the server's clock."""

    operation: str
    """OSS's name, such as "UploadPart"; "Unknown" when the request is none that this server has."""
    method: str
    bucket: str
    key: str
    part_number: int | None
    upload_id: str | None
    bytes_received: int
    """Bytes of the body that were really read."""
    status: int | None
    """None when the connection was reset, somebody else answered, or the client left before an answer."""
    code: str | None
    """The OSS error code, None when there was no error."""
    request_id: str
    user_agent: str
    started_at: float
    ended_at: float
    range: str = ""
    """The Range header, or that of a copy's source; empty when there was none."""


class Ledger:
    """The records. May be used from any thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._records: deque[RecordedRequest] = deque(maxlen=_MAX_RECORDS)
        self._added = 0
        self._is_open = False

    def add(self, record: RecordedRequest) -> None:
        """Append a record; of more than 100,000 the oldest ones are dropped."""
        with self._changed:
            self._records.append(record)
            self._added += 1
            self._changed.notify_all()

    def all(self) -> tuple[RecordedRequest, ...]:
        """Return all records since the last ``forget``."""
        with self._changed:
            return tuple(self._records)

    def forget(self) -> None:
        """Drop all records."""
        with self._changed:
            self._records.clear()

    def last(self, count: int) -> tuple[RecordedRequest, ...]:
        """Return so many records at most, the newest first."""
        with self._changed:
            return tuple(islice(reversed(self._records), count))

    def open(self) -> None:
        """Let ``follow`` wait for records: the server runs."""
        with self._changed:
            self._is_open = True

    def close(self) -> None:
        """End every ``follow``, once it has yielded what is there."""
        with self._changed:
            self._is_open = False
            self._changed.notify_all()

    def follow(self) -> Iterator[RecordedRequest]:
        """Yield each record that is added from the call of this method on, until ``close``."""
        with self._changed:
            added = self._added
        return self._follow(added)

    def _follow(self, yielded: int) -> Iterator[RecordedRequest]:
        while True:
            with self._changed:
                while self._added == yielded and self._is_open:
                    self._changed.wait()
                new = [*islice(reversed(self._records), self._added - yielded)]
                yielded = self._added
            if not new and not self._is_open:
                return
            yield from reversed(new)

    def wait(self, predicate: Callable[[RecordedRequest], bool], timeout_seconds: float) -> RecordedRequest:
        """Return the first record, there already or still to come, that fits. Raises TimeoutError."""
        deadline = time.monotonic() + timeout_seconds
        checked = 0
        with self._changed:
            while True:
                oldest = self._added - len(self._records)
                for record in islice(self._records, max(0, checked - oldest), None):
                    if predicate(record):
                        return record
                checked = self._added
                remaining = deadline - time.monotonic()
                if remaining <= 0 or not self._changed.wait(remaining):
                    raise TimeoutError(
                        f"no such request within {timeout_seconds} s; there are {len(self._records)} others"
                    )
