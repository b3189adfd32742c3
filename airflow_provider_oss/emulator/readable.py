"""Names, times and quantities as people read them, in the log of requests and on the pages. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from airflow_provider_oss.emulator.ledger import RecordedRequest

_UNITS: Final = ("KiB", "MiB", "GiB", "TiB")
_STEP: Final = 1024


def printable(text: str) -> str:
    """Return the text with what has no glyph, such as an escape sequence of terminals, escaped as in Python."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def size(count: int) -> str:
    """Return a number of bytes with its unit, such as ``5.0 MiB``."""
    if count < _STEP:
        return f"{count} B"
    amount, unit = float(count), ""
    for unit in _UNITS:  # noqa: B007 - the unit that fits is the one after which the loop ends
        amount /= _STEP
        if amount < _STEP:
            break
    return f"{amount:.1f} {unit}"


def moment(seconds: float) -> str:
    """Return a time in seconds since the epoch as date and time in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def place(bucket: str, key: str) -> str:
    """Return bucket and key with a slash between, ``/`` for the service."""
    return printable(f"{bucket}/{key}") if key else printable(bucket) or "/"


def outcome(record: RecordedRequest) -> str:
    """Return the status of the answer and the code of the error, or that there was no answer."""
    if record.status is None:
        return "no answer"
    return f"{record.status} {record.code}" if record.code else str(record.status)


def milliseconds(record: RecordedRequest) -> str:
    """Return how long a request took."""
    return f"{(record.ended_at - record.started_at) * 1000:.0f} ms"


def ranges(numbers: list[int]) -> str:
    """Return ascending numbers, neighbours as one: ``1-3, 5``."""
    groups: list[list[int]] = []
    for number in numbers:
        if groups and number == groups[-1][-1] + 1:
            groups[-1][1:] = [number]
        else:
            groups.append([number])
    return ", ".join("-".join(map(str, group)) for group in groups)
