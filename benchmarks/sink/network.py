"""
A network between client and sink, as far as an upload feels it.

Modelled: a round trip before the first request of a connection is read (two with TLS) and before each answer, which is
what a request and its answer spend on the way together; a rate at which each connection is read. Not modelled: slow
start, loss, a limit that connections share. The kernel's buffer of a paced connection is kept small, so that a client
cannot hand over a whole part at once and call it sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PACED_BUFFER_BYTES: Final = 256 * 1024
"""What the kernel keeps of a paced connection."""

_CREDIT_SECONDS: Final = 0.02
_BLOCK_SECONDS: Final = 0.01


@dataclass(frozen=True, slots=True)
class Network:
    """What lies between a client and the sink; by default, nothing."""

    round_trip_seconds: float = 0.0
    bytes_per_second: float | None = None
    """How fast one connection is read; None: as fast as can be."""

    def block_bytes(self, most: int) -> int:
        """Return how much to read at once, at most ``most``: 10 ms' worth, so that the rate is smooth."""
        if self.bytes_per_second is None:
            return most
        return max(1, min(most, int(self.bytes_per_second * _BLOCK_SECONDS)))


class Pace:
    """When one connection may be read again. A late reader catches up on 20 ms, not on more."""

    def __init__(self, bytes_per_second: float) -> None:
        self._bytes_per_second = bytes_per_second
        self._due = 0.0

    def begin(self, now: float) -> None:
        """Forget what was not used: a link that had nothing to carry is not faster afterwards."""
        self._due = max(self._due, now)

    def count(self, size_bytes: int, now: float) -> None:
        """Count what was read now."""
        self._due = max(self._due, now - _CREDIT_SECONDS) + size_bytes / self._bytes_per_second

    def seconds_to_wait(self, now: float) -> float:
        """Return when the link will have carried what was counted: until then, nothing more is to be read."""
        return self._due - now
