"""
What of stored values may be shown: people can edit XComs, Variables and task state.

Each value is read by a table of what may be in it, so that neither what is damaged nor what was never meant to be
shown gets through: a field that is not in its table, or not as it says, is left out. A text is shown as text:
printable, and no longer than it may be.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from airflow_provider_oss.model import Checkpoint
from airflow_provider_oss.progress.record import MAX_ATTEMPTS, MAX_EVENTS, MAX_RATES, VERSION
from airflow_provider_oss.shown import printable

Reader = Callable[[Any], Any]
"""Returns a value as it may be shown. Raises ValueError for one that may not."""

_MOST_AMOUNT: Final = 10**18
_MOST_NAME_CHARS: Final = 1023
_MOST_RANGES_CHARS: Final = 500
_RATE_LENGTH: Final = 2
"""Seconds since the attempt began, bytes per second."""
_RANGES: Final = re.compile(r"([0-9]{1,5}(-[0-9]{1,5})?(,[0-9]{1,5}(-[0-9]{1,5})?)*)?")
_CONSOLE: Final = "https://oss.console.aliyun.com/"


def as_data(value: Any) -> Any:
    """Return an XCom or an entry of task state as data: it may be stored as JSON text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


# Single values


def _check(is_right: bool) -> None:  # noqa: FBT001 - a condition
    if not is_right:
        raise ValueError


def _text(most: int, beginning: str = "") -> Reader:
    def read(value: Any) -> str:
        _check(isinstance(value, str) and value.startswith(beginning))
        return printable(value)[:most]

    return read


def _ranges(value: Any) -> str:
    _check(isinstance(value, str) and len(value) <= _MOST_RANGES_CHARS and _RANGES.fullmatch(value) is not None)
    return str(value)


def _number(value: Any) -> float:
    _check(isinstance(value, int | float) and not isinstance(value, bool))
    _check(0 <= value <= _MOST_AMOUNT)  # which NaN is not either
    return value  # type: ignore[no-any-return]  # as checked


def _count(value: Any) -> int:
    _check(isinstance(value, int))
    return int(_number(value))


def _how_many(value: Any) -> int:
    return len(value) if isinstance(value, list) else _count(value)


def _yes_or_no(value: Any) -> bool:
    _check(isinstance(value, bool))
    return bool(value)


def _time(value: Any) -> str:
    _check(isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None)
    return str(value)


def _rate(value: Any) -> list[float]:
    _check(isinstance(value, list) and len(value) == _RATE_LENGTH)
    return [_number(one) for one in value]


def _or_none(read: Reader) -> Reader:
    return lambda value: None if value is None else read(value)


# What is made of them


def _fields(table: Mapping[str, Reader]) -> Reader:
    def read(value: Any) -> dict[str, Any]:
        _check(isinstance(value, dict))
        shown = {}
        for name, read_field in table.items():
            if name in value:
                with suppress(ValueError):
                    shown[name] = read_field(value[name])
        return shown

    return read


def _last(most: int, read: Reader) -> Reader:
    def read_all(value: Any) -> list[Any]:
        _check(isinstance(value, list))
        shown = []
        for one in value[-most:]:
            with suppress(ValueError):
                shown.append(read(one))
        return shown

    return read_all


# Progress records

_ATTEMPT: Final = _fields(
    {
        "number": _count,
        "started_at": _time,
        "seconds": _number,
        **dict.fromkeys(("sent", "verified", "skipped", "retried"), _count),
        "state": _text(20),
        "error": _or_none(_text(200)),
    }
)
_RECORD: Final = _fields(
    {
        "version": _count,
        "kind": _text(20),
        "target": _text(300),
        "source": _or_none(_text(200)),
        "state": _text(20),
        "attempt": _count,
        "started_at": _time,
        "updated_at": _time,
        "total": _or_none(_count),
        **dict.fromkeys(("done", "sent", "verified", "skipped", "retried"), _count),
        "files": _fields({"total": _or_none(_count), "sent": _count, "skipped": _count, "failed": _count}),
        "rate": _number,
        "rates": _last(MAX_RATES, _rate),
        "parts": _fields(
            {
                **dict.fromkeys(("size", "first"), _count),
                "count": _or_none(_count),
                **dict.fromkeys(("stored", "verified", "in_flight"), _ranges),
            }
        ),
        "attempts": _last(MAX_ATTEMPTS, _ATTEMPT),
        "events": _last(MAX_EVENTS, _fields({"at": _time, "text": _text(160)})),
    }
)
_NEEDED: Final = frozenset({"kind", "state", "updated_at"})


def record(value: Any) -> dict[str, Any] | None:
    """Return the progress record in a stored value; None when it is none that this version can read."""
    with suppress(ValueError):
        shown: dict[str, Any] = _RECORD(as_data(value))
        if shown.get("version") == VERSION and shown.keys() >= _NEEDED:
            return shown
    return None


def updated_at(shown: Mapping[str, Any]) -> datetime:
    """Return when a progress record was written."""
    return datetime.fromisoformat(shown["updated_at"])


# Results and links

_AMOUNTS: Final = (
    *("size", "bytes", "rows", "files", "sent", "sent_size", "skipped", "skipped_size", "deleted", "deleted_size"),
    *("failed_size", "not_tried", "left_out", "bytes_sent", "bytes_copied", "bytes_received", "bytes_verified"),
    "attempts",
)
_RESULT: Final = _fields(
    {
        "uri": _text(_MOST_NAME_CHARS, "oss://"),
        "source_uri": _text(_MOST_NAME_CHARS, "oss://"),
        **dict.fromkeys(("etag", "crc64"), _text(100)),
        **dict.fromkeys(_AMOUNTS, _count),
        **dict.fromkeys(("objects", "failed"), _how_many),
        "elapsed_seconds": _number,
        "resumed": _yes_or_no,
        "dry_run": _yes_or_no,
    }
)
_SUMMARY: Final[Mapping[str, tuple[str, ...]]] = {
    "size": ("size", "bytes"),
    "bytes_sent": ("bytes_sent", "bytes_copied", "bytes_received"),
    "bytes_verified": ("bytes_verified",),
    "elapsed_seconds": ("elapsed_seconds",),
    "resumed": ("resumed",),
}
"""What operators call what the summary has."""


def result(value: Any) -> dict[str, Any] | None:
    """Return what may be shown of what a task returned; None when there is nothing."""
    with suppress(ValueError):
        return _RESULT(as_data(value)) or None
    return None


def summary(shown: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the figures of a result that every kind of transfer has, None for what this one lacks."""
    if shown is None:
        return None
    return {name: next((shown[one] for one in names if one in shown), None) for name, names in _SUMMARY.items()}


def console_link(value: Any) -> str | None:
    """Return the link to the object in OSS's console, if it is one."""
    url = as_data(value)
    return printable(url) if isinstance(url, str) and url.startswith(_CONSOLE) else None


# Checkpoints and forgotten uploads

_UNFINISHED: Final = _fields(
    {
        "key": _text(_MOST_NAME_CHARS),
        "upload_id": _text(128),
        "initiated": _time,
        "bytes": _count,
        "owner": _or_none(_text(_MOST_NAME_CHARS)),
        "reason": _text(20),
    }
)
_STALE: Final = _fields(
    {
        **dict.fromkeys(("bucket", "prefix"), _text(_MOST_NAME_CHARS)),
        **dict.fromkeys(("uploads", "aborted", "bytes", "kept_bytes", "variables_removed"), _count),
        "kept": _fields(dict.fromkeys(("recent", "checkpoint", "unknown"), _count)),
        **dict.fromkeys(("first", "kept_first"), _last(10, _UNFINISHED)),
        "unseen_stores": _last(10, _text(20)),
        "dry_run": _yes_or_no,
    }
)


def stale_uploads(value: Any) -> dict[str, Any] | None:
    """Return what may be shown of what OSSAbortStaleUploadsOperator returned; None when it is nothing of the kind."""
    with suppress(ValueError):
        shown: dict[str, Any] = _STALE(as_data(value))
        return shown if "uploads" in shown else None
    return None


def checkpoint(saved: Checkpoint, place: str) -> dict[str, Any]:
    """Return what may be shown of a checkpoint, and where it is."""
    return {
        "place": printable(place),
        "bucket": saved.ref.bucket,
        "key": printable(saved.ref.key),
        "upload_id": saved.upload_id,
        "part_size": saved.part_size_bytes,
        "source": {"name": printable(_without_user_and_query(saved.source.name)), "size": saved.source.size_bytes},
        "attempt": saved.attempt,
        "done_parts": saved.done_parts,
        "done_bytes": saved.done_bytes,
        "created_at": saved.created_at,
        "updated_at": saved.updated_at,
    }


def _without_user_and_query(name: str) -> str:
    """Return the name of a source; of a URL without what may give access."""
    if "://" not in name:
        return name
    try:
        split = urlsplit(name)
    except ValueError:
        return ""
    return split._replace(netloc=split.netloc.rpartition("@")[2], query="", fragment="").geturl()
