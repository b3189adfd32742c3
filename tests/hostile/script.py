"""What a hostile server does with one request: small data, played by ``server``. Nothing of the package is imported."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

_MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Send:
    """Send these bytes; what is sent by one step leaves as one packet, if it is small."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Drip:
    """Send these bytes one at a time, with a pause before each that no read timeout notices."""

    data: bytes
    pause_seconds: float = 0.04


@dataclass(frozen=True, slots=True)
class Pause:
    """Do nothing for so long."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Flood:
    """Send this again and again, until nobody reads it any more: at most so many bytes."""

    unit: bytes
    most_bytes: int = 192 * _MIB


class Step(Enum):
    """What needs no data."""

    READ_BODY = "the body of the request is read to its end"
    SILENCE = "nothing is read or sent until the client is gone"
    HALF_CLOSE = "nothing more is sent, and what comes is read and thrown away"
    CLOSE = "the connection is closed, over TLS with close_notify"
    CUT = "the connection is closed, over TLS without close_notify"
    RESET = "the connection is reset"


Script: TypeAlias = tuple[Send | Drip | Pause | Flood | Step, ...]
"""
The head of the request has been read before the first step. A connection that the script leaves open is kept for the
next request.
"""
