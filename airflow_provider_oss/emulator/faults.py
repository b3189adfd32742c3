"""Misbehaviour on demand: which requests it hits and what it does to them."""

from __future__ import annotations

import threading
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """
    What goes wrong, and with which requests. Several faults may hit one request; their effects add up.

    Which requests: those of ``operation`` (such as "UploadPart"; None = every one) on ``key`` and ``part_number``
    (None = any), after the first ``skip`` of them, and then ``times`` of them (None = for ever). Only requests with a
    right signature count.

    What happens, in this order:

    - ``latency_seconds``: nothing, for so long, before a byte of the body is read;
    - ``reset="before"``: the connection is reset (TCP RST) before the body is read; nothing is done;
    - ``rate_bytes_per_second``: the body is read, and a body of the answer is sent, no faster than this;
    - ``reset_after_bytes``: the connection is reset once so many bytes of the body were read; nothing is done;
    - ``corrupt_request_byte``: the byte at this offset of the body is stored with a flipped bit, and the checksums in
      the answer are those of what was stored; a shorter body stays as it is;
    - ``stall``: the body is read, nothing is done, and no answer comes until the client leaves or the server stops;
    - ``status`` with ``code`` and ``message``: the body is read, nothing is done, and this error is the answer; a
      ``code`` or ``status`` left out follows from the other (ServiceUnavailable where nothing fits);
    - ``foreign``: the body is read, nothing is done, and a login page answers: status 200, none of OSS's headers;
    - the work is done;
    - ``reset="after"``: the connection is reset before a byte of the answer;
    - ``response_body``: status 200 and the right headers, but with these bytes as the body;
    - ``corrupt_response_byte``: the byte at this offset of the answer's body has a flipped bit;
    - ``truncate_response``: the connection closes in the middle of an answer whose Content-Length promised more.

    Raises ValueError for values that would silently do nothing.
    """

    operation: str | None = None
    key: str | None = None
    part_number: int | None = None
    skip: int = 0
    times: int | None = None

    latency_seconds: float = 0.0
    rate_bytes_per_second: float | None = None
    status: int | None = None
    code: str | None = None
    message: str | None = None
    reset: Literal["before", "after"] | None = None
    reset_after_bytes: int | None = None
    corrupt_request_byte: int | None = None
    corrupt_response_byte: int | None = None
    stall: bool = False
    foreign: bool = False
    response_body: bytes | None = None
    truncate_response: bool = False

    def __post_init__(self) -> None:
        if self.reset not in (None, "before", "after"):
            raise ValueError(f'reset must be "before" or "after", not {self.reset!r}')
        if self.rate_bytes_per_second is not None and self.rate_bytes_per_second <= 0:
            raise ValueError("rate_bytes_per_second must be positive")
        if self.skip < 0 or (self.times is not None and self.times < 1):
            raise ValueError("skip must not be negative and times must be at least 1")
        if self.message is not None and not (self.code or self.status):
            raise ValueError(f"message={self.message!r} is that of an error: give its code or status too")

    def matches(self, operation: str, key: str, part_number: int | None) -> bool:
        """Whether the fault is meant for such a request, apart from ``skip`` and ``times``."""
        return (
            self.operation in (None, operation) and self.key in (None, key) and self.part_number in (None, part_number)
        )


_FIELDS: Final = frozenset(entry.name for entry in fields(Fault))


def fault_from_json(data: dict[str, Any]) -> Fault:
    """Return a fault from JSON data; ``response_body`` is a string there. Raises ValueError for what is no fault."""
    unknown = sorted(set(data) - _FIELDS)
    if unknown:
        raise ValueError(f"unknown fields: {', '.join(unknown)}")
    body = data.get("response_body")
    try:
        return Fault(**{**data, "response_body": body.encode() if isinstance(body, str) else body})
    except TypeError as error:
        raise ValueError(str(error)) from error


@dataclass(frozen=True, slots=True)
class Effects:
    """The effects of all faults that hit one request."""

    faults: tuple[Fault, ...] = ()

    @property
    def latency_seconds(self) -> float:
        """The sum of all latencies."""
        return sum(fault.latency_seconds for fault in self.faults)

    @property
    def rate_bytes_per_second(self) -> float | None:
        """The slowest rate."""
        return min((fault.rate_bytes_per_second for fault in self.faults if fault.rate_bytes_per_second), default=None)

    @property
    def stall(self) -> bool:
        """Whether no answer comes."""
        return any(fault.stall for fault in self.faults)

    @property
    def foreign(self) -> bool:
        """Whether somebody else answers."""
        return any(fault.foreign for fault in self.faults)

    @property
    def truncate_response(self) -> bool:
        """Whether the answer is cut off."""
        return any(fault.truncate_response for fault in self.faults)

    @property
    def error(self) -> Fault | None:
        """The first fault that answers an error."""
        return next((fault for fault in self.faults if fault.status or fault.code), None)

    @property
    def response_body(self) -> bytes | None:
        """The first body to answer instead of the right one."""
        return next((fault.response_body for fault in self.faults if fault.response_body is not None), None)

    @property
    def reset_after_bytes(self) -> int | None:
        """The earliest point of a reset within the body."""
        points = (fault.reset_after_bytes for fault in self.faults)
        return min((point for point in points if point is not None), default=None)

    @property
    def corrupt_request_bytes(self) -> frozenset[int]:
        """Offsets of the body of the request."""
        return _given(fault.corrupt_request_byte for fault in self.faults)

    @property
    def corrupt_response_bytes(self) -> frozenset[int]:
        """Offsets of the body of the answer."""
        return _given(fault.corrupt_response_byte for fault in self.faults)

    def resets(self, when: Literal["before", "after"]) -> bool:
        """Whether the connection is reset at that moment."""
        return any(fault.reset == when for fault in self.faults)


@dataclass(frozen=True, slots=True)
class FaultInForce:
    """A fault that can still hit a request, and how many it has hit."""

    fault: Fault
    hits: int


class Faults:
    """The faults in force, of a server that has these operations. May be used from any thread."""

    def __init__(self, operations: Iterable[str]) -> None:
        self._operations = frozenset(operations)
        self._changed = threading.Condition()
        self._seen: list[tuple[Fault, int]] = []
        self._hits = 0

    def add(self, *faults: Fault) -> None:
        """
        Put faults in force, counting their matches from now on.

        Raises ValueError, and adds none, when one is for an operation that the server does not have.
        """
        for fault in faults:
            if fault.operation is not None and fault.operation not in self._operations:
                known = ", ".join(sorted(self._operations))
                raise ValueError(f"operation={fault.operation!r} is none of the server's, which are {known}")
        with self._changed:
            self._seen.extend((fault, 0) for fault in faults)

    def clear(self) -> None:
        """Behave from now on, and count hits from 0; requests that were hit stay hit."""
        with self._changed:
            self._seen.clear()
            self._hits = 0

    def in_force(self) -> tuple[FaultInForce, ...]:
        """Return the faults that can still hit a request, in the order in which they were added."""
        with self._changed:
            counted = [FaultInForce(fault, max(0, seen - fault.skip)) for fault, seen in self._seen]
        return tuple(each for each in counted if each.fault.times is None or each.hits < each.fault.times)

    def wait_for_hits(self, count: int = 1, timeout_seconds: float = 10.0) -> None:
        """
        Wait until so many requests have been hit since the last ``clear``. Raises TimeoutError.

        A request is hit when its head has arrived: with ``stall`` or ``latency_seconds`` it is still waiting then.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._hits >= count, timeout_seconds):
                raise TimeoutError(f"{self._hits} of {count} requests were hit within {timeout_seconds} s")

    def take(self, operation: str, key: str, part_number: int | None) -> Effects:
        """Count a request and say what goes wrong with it."""
        hit: list[Fault] = []
        with self._changed:
            for index, (fault, seen) in enumerate(self._seen):
                if fault.matches(operation, key, part_number):
                    self._seen[index] = (fault, seen + 1)
                    if seen >= fault.skip and (fault.times is None or seen < fault.skip + fault.times):
                        hit.append(fault)
            if hit:
                self._hits += 1
                self._changed.notify_all()
        return Effects(tuple(hit))


def flip(chunk: bytes, start: int, offsets: frozenset[int]) -> bytes:
    """Return the chunk, which begins at offset ``start`` of its body, with a bit flipped at each of these offsets."""
    inside = [offset - start for offset in offsets if start <= offset < start + len(chunk)]
    if not inside:
        return chunk
    changed = bytearray(chunk)
    for index in inside:
        changed[index] ^= 0x01
    return bytes(changed)


def _given(offsets: Iterable[int | None]) -> frozenset[int]:
    return frozenset(offset for offset in offsets if offset is not None)
