"""The first page: buckets, faults, uploads in progress, the last requests."""

from __future__ import annotations

from dataclasses import asdict, fields
from itertools import islice
from typing import TYPE_CHECKING, Final

from airflow_provider_oss.emulator.faults import Fault
from airflow_provider_oss.emulator.page.addresses import BUCKETS
from airflow_provider_oss.emulator.page.html import Markup, element, long_text, section, table
from airflow_provider_oss.emulator.page.uploads import upload_list
from airflow_provider_oss.emulator.readable import milliseconds, moment, outcome, place, size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_oss.emulator.faults import FaultInForce, Faults
    from airflow_provider_oss.emulator.ledger import Ledger, RecordedRequest
    from airflow_provider_oss.emulator.operations.call import Environment
    from airflow_provider_oss.emulator.state.store import Store, Upload

_MOST_UPLOADS: Final = 20
_MOST_REQUESTS: Final = 50
_MOST_CHARS: Final = 60
"""Of the value of a fault's field."""
_WHICH: Final = ("operation", "key", "part_number", "skip", "times")
"""The fields of a fault that say which requests it hits."""


def overview(environment: Environment, faults: Faults, ledger: Ledger) -> Markup:
    """Return the page's content."""
    store = environment.store
    uploads = [*islice(_uploads(store), _MOST_UPLOADS + 1)]
    return element(
        "main",
        element("p", f"Region {environment.region}. This page changes nothing; load it again to see what is new."),
        section("Buckets", _buckets(store)),
        section("Faults", _faults(faults)),
        section("Uploads in progress", upload_list(uploads, _MOST_UPLOADS)),
        section("Last requests", _requests(ledger)),
    )


def _buckets(store: Store) -> Markup:
    rows = [
        (
            element("a", record.name, href=f"{BUCKETS}{record.name}"),
            str(len(store.keys(record.name))),
            str(len(store.uploads(record.name))),
            record.acl,
            record.storage_class,
            moment(record.created_at),
        )
        for record in store.buckets()
    ]
    headings = ("Bucket", "Objects", "Uploads in progress", "ACL", "Storage class", "Created (UTC)")
    return table(headings, rows, "There is none.")


def _uploads(store: Store) -> Iterator[Upload]:
    for bucket in store.buckets():
        for key, upload_id in store.uploads(bucket.name):
            if (upload := store.upload(bucket.name, key, upload_id)) is not None:
                yield upload


def _faults(faults: Faults) -> Markup:
    rows = [(long_text(_which(each.fault)), long_text(_what(each.fault)), _hits(each)) for each in faults.in_force()]
    return table(("Requests", "What happens", "Hit"), rows, "None: the server behaves.")


def _which(fault: Fault) -> str:
    return _set_fields(fault, _WHICH) or "all"


def _what(fault: Fault) -> str:
    return _set_fields(fault, [entry.name for entry in fields(fault) if entry.name not in _WHICH]) or "nothing"


def _set_fields(fault: Fault, names: list[str] | tuple[str, ...]) -> str:
    """Return the fields that do not have their default."""
    values, defaults = asdict(fault), asdict(Fault())
    shown = ((name, str(values[name])[:_MOST_CHARS]) for name in names if values[name] != defaults[name])
    return ", ".join(f"{name}={value}" for name, value in shown)


def _hits(each: FaultInForce) -> str:
    return str(each.hits) if each.fault.times is None else f"{each.hits} of {each.fault.times}"


def _requests(ledger: Ledger) -> Markup:
    headings = ("Ended (UTC)", "Answer", "Operation", "Bucket and key", "Part", "Received", "Time")
    return table(headings, map(_request, ledger.last(_MOST_REQUESTS)), "There was none.")


def _request(record: RecordedRequest) -> tuple[str, ...]:
    return (
        moment(record.ended_at),
        outcome(record),
        record.operation,
        long_text(place(record.bucket, record.key)),
        "" if record.part_number is None else str(record.part_number),
        size(record.bytes_received) if record.bytes_received else "",
        milliseconds(record),
    )
