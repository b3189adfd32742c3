"""
The record of a task's transfer: what a page can show of it while it runs, and of its attempts afterwards.

It is JSON of bounded size, kept where people can edit it: what is read is checked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from importlib import resources
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_oss.checkpoint.codec import longest_ranges
from airflow_provider_oss.exceptions import OSSCheckpointUnreadable
from airflow_provider_oss.model import FilesState, PartsState
from airflow_provider_oss.shown import printable
from airflow_provider_oss.uri import SCHEME, redacted, shown

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

VERSION: Final = 1
MAX_TRANSFER_CHARS: Final = 6000
"""Of a record as ASCII JSON with spaces after commas and colons."""
MAX_RATES: Final = 60
MAX_ATTEMPTS: Final = 10
MAX_EVENTS: Final = 10
_MAX_TARGET_CHARS: Final = 300
_MAX_SOURCE_CHARS: Final = 200
_MAX_ERROR_CHARS: Final = 200
_MAX_EVENT_CHARS: Final = 160
_MAX_PARTS_CHARS: Final = 500
_MAX_NAME_JSON_CHARS: Final = 600
"""Of one name, where there is too much of all."""

_OF_DATABASES: Final = frozenset({"DatabaseError", "DBAPIError", "StatementError"})
"""Of what drivers (PEP 249) and SQLAlchemy raise."""
_CODES: Final = ("sqlstate", "pgcode", "sqlite_errorname")

RUNNING: Final = "running"
SUCCEEDED: Final = "succeeded"
FAILED: Final = "failed"
STOPPED: Final = "stopped"
KILLED: Final = "killed"
"""Of an earlier attempt alone: it never said how it ended."""


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """What an attempt has done. Bytes and seconds."""

    number: int
    started_at: str
    seconds: float
    sent: int
    verified: int
    skipped: int
    retried: int
    state: str
    error: str | None = None


@dataclass(frozen=True, slots=True)
class EventRecord:
    """Something that happened: a try that failed."""

    at: str
    text: str


@dataclass(frozen=True, slots=True)
class TransferRecord:
    """How far a transfer is. Numbers are bytes and seconds, of this attempt alone; times are ISO 8601, UTC."""

    kind: str
    target: str
    source: str | None
    state: str
    attempt: int
    started_at: str
    updated_at: str
    total: int | None
    """None when it is not known."""
    done: int = 0
    """All that is known to be stored."""
    sent: int = 0
    verified: int = 0
    skipped: int = 0
    """Of whole files that were there already."""
    rate: float = 0.0
    """Bytes per second of sending, between the last two records."""
    rates: tuple[tuple[float, int], ...] = ()
    """Seconds since the attempt began, and the rate there."""
    retried: int = 0
    files: FilesState | None = None
    parts: PartsState | None = None
    attempts: tuple[AttemptRecord, ...] = ()
    events: tuple[EventRecord, ...] = field(default=())

    def as_json(self) -> dict[str, Any]:
        """
        Return plain data of at most MAX_TRANSFER_CHARS: what is of least use is left out where there is too much.

        Raises ValueError for what Airflow could not store: a checkpoint beside it would be lost with it.
        """
        record = _plain(_bounded(self))
        for shorten in _SHORTENING:
            if len(json.dumps(record)) <= MAX_TRANSFER_CHARS:
                break
            shorten(record)
        _check_is_sendable(record)
        return record

    @classmethod
    def parse(cls, data: Any) -> TransferRecord:
        """Return the record in plain data. Raises OSSCheckpointUnreadable for what does not follow the schema."""
        try:
            _check_is_sendable(data)
            error = next(iter(_validator().iter_errors(data)), None)
        except (ValueError, TypeError, RecursionError) as broken:
            raise OSSCheckpointUnreadable(f"transfer record: it is no JSON: {type(broken).__name__}") from broken
        if error is not None:
            where = "/".join(str(step) for step in error.absolute_path) or "the whole"
            raise OSSCheckpointUnreadable(f"transfer record, {where}: {error.message[:200]}")
        known = {name: data[name] for name in cls.__dataclass_fields__ if name in data}
        parts, files = data.get("parts"), data.get("files")
        return cls(
            **known
            | {
                "rates": tuple((seconds, rate) for seconds, rate in data["rates"]),
                "attempts": tuple(_made(AttemptRecord, each) for each in data["attempts"]),
                "events": tuple(_made(EventRecord, each) for each in data["events"]),
                "files": None if files is None else _made(FilesState, files),
                "parts": None if parts is None else _made(PartsState, {"size_bytes": parts["size"], **parts}),
            }
        )


def _check_is_sendable(data: Any) -> None:
    """Raise ValueError for what is no JSON in UTF-8, such as NaN or half a surrogate pair: Airflow cannot store it."""
    json.dumps(data, ensure_ascii=False, allow_nan=False).encode()


def _made(kind: Any, data: Mapping[str, Any]) -> Any:
    return kind(**{name: data[name] for name in kind.__dataclass_fields__ if name in data})


def _plain(record: TransferRecord) -> dict[str, Any]:
    data = {"version": VERSION, **asdict(record)}
    for name in ("files", "parts"):
        if data[name] is None:
            del data[name]
    if record.parts is not None:
        data["parts"] = {"size": data["parts"].pop("size_bytes"), **data["parts"]}
    data["rates"] = [[round(seconds, 1), round(rate)] for seconds, rate in record.rates]
    data["attempts"] = [{name: value for name, value in each.items() if value is not None} for each in data["attempts"]]
    data["events"] = list(data["events"])
    return data


# How it is kept short


def _bounded(record: TransferRecord) -> TransferRecord:
    parts = record.parts
    if parts is not None:
        parts = replace(
            parts,
            stored=longest_ranges(parts.stored, _MAX_PARTS_CHARS),
            verified=longest_ranges(parts.verified, _MAX_PARTS_CHARS),
            in_flight=longest_ranges(parts.in_flight, _MAX_PARTS_CHARS),
        )
    return replace(
        record,
        target=name_of_target(record.target),
        source=None if record.source is None else name_of_source(record.source),
        rate=round(record.rate, 1),
        rates=record.rates[-MAX_RATES:],
        attempts=tuple(
            replace(each, seconds=round(each.seconds, 1), error=None if each.error is None else error_text(each.error))
            for each in record.attempts[-MAX_ATTEMPTS:]
        ),
        events=tuple(
            replace(each, text=_beginning(printable(redacted(each.text)), _MAX_EVENT_CHARS))
            for each in record.events[-MAX_EVENTS:]
        ),
        parts=parts,
    )


def _fewer_events(most: int) -> Callable[[dict[str, Any]], None]:
    def shorten(record: dict[str, Any]) -> None:
        record["events"] = record["events"][-most:] if most else []

    return shorten


def _fewer_rates(record: dict[str, Any]) -> None:
    record["rates"] = record["rates"][1::2]


def _shorter_errors(record: dict[str, Any]) -> None:
    for each in record["attempts"]:
        if "error" in each:
            each["error"] = _ascii_beginning(each["error"], 60)


def _shorter_parts(most: int) -> Callable[[dict[str, Any]], None]:
    def shorten(record: dict[str, Any]) -> None:
        parts = record.get("parts", {})
        for name in ("stored", "verified", "in_flight"):
            if name in parts:
                parts[name] = longest_ranges(parts[name], most)

    return shorten


def _fewer_attempts(record: dict[str, Any]) -> None:
    record["attempts"] = record["attempts"][-3:]


def _shorter_names(record: dict[str, Any]) -> None:
    """Leave of names that JSON blows up less."""
    for name in ("target", "source"):
        text = record[name] or ""
        while len(json.dumps(text)) > _MAX_NAME_JSON_CHARS:
            text = middle_cut(text, len(text) - 10)
        record[name] = text if record[name] is not None else None


_SHORTENING: Final[Sequence[Callable[[dict[str, Any]], None]]] = (
    _fewer_events(5),
    _shorter_errors,
    _shorter_names,
    _fewer_rates,
    _shorter_parts(250),
    _fewer_events(2),
    _fewer_attempts,
    _fewer_rates,
    _shorter_parts(80),
    _fewer_events(0),
)
"""In this order, as far as it is needed."""


def middle_cut(text: str, most: int) -> str:
    """Return the text; of a longer one its beginning and its end."""
    if len(text) <= most:
        return text
    end = (most - 3) // 2
    return f"{text[: most - 3 - end]}...{text[len(text) - end :]}"


def name_of_target(target: str) -> str:
    """Return the address of an object whole, for a key may hold a question mark; of any other URL no user and query."""
    return middle_cut(printable(target if target.startswith(SCHEME) else redacted(target)), _MAX_TARGET_CHARS)


def name_of_source(source: str) -> str:
    """Return the last component of a path or URL, without the latter's user and query."""
    name = printable(shown(source) if "://" in source else source).rstrip("/")
    return middle_cut(name.rpartition("/")[2] or name, _MAX_SOURCE_CHARS)


def words_of(error: BaseException) -> str:
    """Return what an error is and says; only what it is when it cannot say anything."""
    name = type(error).__name__
    try:
        return f"{name}: {error}"
    except Exception:  # noqa: BLE001 - an error of the user's own may be broken
        return name


def said_by(error: BaseException) -> str:
    """Return what an error is and says; of a database's only what it is: its text may quote parameters of a query."""
    name = type(error).__name__
    if _OF_DATABASES.isdisjoint(kind.__name__ for kind in type(error).__mro__):
        return words_of(error)
    code = next((str(code) for each in _CODES if (code := getattr(error, each, None))), "")
    return f"{name}{f' ({code})' if code else ''}: the log has what the database says"


def error_text(text: str) -> str:
    """Return an error's text, short and without what may be secret in it."""
    return _beginning(printable(redacted(text)), _MAX_ERROR_CHARS)


def _beginning(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."


def _ascii_beginning(text: str, most: int) -> str:
    return _beginning(text.encode("ascii", "replace").decode(), most)


def thinned(rates: Sequence[tuple[float, int]], most: int = MAX_RATES) -> list[tuple[float, int]]:
    """Return the rates; when there are too many every second one, the last one always."""
    return list(rates) if len(rates) <= most else list(islice(rates, (len(rates) - 1) % 2, None, 2))


@cache
def _validator() -> Validator:
    from jsonschema import Draft202012Validator

    text = resources.files(__package__).joinpath("transfer.schema.json").read_text("utf-8")
    return Draft202012Validator(json.loads(text))
