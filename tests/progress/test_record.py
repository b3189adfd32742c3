"""Records as JSON: short whatever is in them, without secrets, and never trusted when they are read."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_oss.engine.plan import PartRanges
from airflow_provider_oss.exceptions import OSSCheckpointUnreadable
from airflow_provider_oss.model import FilesState, PartsState
from airflow_provider_oss.progress.record import (
    MAX_RATES,
    MAX_TRANSFER_CHARS,
    AttemptRecord,
    EventRecord,
    TransferRecord,
    error_text,
    name_of_source,
    said_by,
    thinned,
)

TIME = "2026-11-30T18:00:00.123456Z"
BYTES = st.integers(0, 53_687_091_200_000)
TEXT = st.text(max_size=1500)
RECORD = TransferRecord(
    kind="upload",
    target="oss://exports/a.bin",
    source="dump.bin",
    state="running",
    attempt=2,
    started_at=TIME,
    updated_at=TIME,
    total=100,
    done=60,
    sent=40,
    verified=20,
    rate=12.5,
    rates=((10.0, 12), (20.0, 13)),
    retried=1,
    files=FilesState(None, 1, 2, 3),
    parts=PartsState(10, 10, 1, "1-6", "1-2", "7,8"),
    attempts=(
        AttemptRecord(1, TIME, 12.0, 20, 0, 0, 0, "killed"),
        AttemptRecord(2, TIME, 20.5, 40, 20, 0, 1, "running", "OSSConnectionTimeout: nothing moved"),
    ),
    events=(EventRecord(TIME, "Part 7: try 1 failed: nothing moved"),),
)


@st.composite
def ranges(draw: st.DrawFn) -> str:
    return PartRanges(draw(st.sets(st.integers(1, 10_000), max_size=120))).as_text()


RECORDS = st.builds(
    TransferRecord,
    kind=st.just("upload"),
    target=TEXT,
    source=st.one_of(st.none(), TEXT),
    state=st.sampled_from(["running", "succeeded", "failed", "stopped"]),
    attempt=st.integers(0, 10_000),
    started_at=st.just(TIME),
    updated_at=st.just(TIME),
    total=st.one_of(st.none(), BYTES),
    done=BYTES,
    sent=BYTES,
    verified=BYTES,
    skipped=BYTES,
    rate=st.floats(0, 1e12),
    rates=st.lists(st.tuples(st.floats(0, 1e7), BYTES), max_size=60).map(tuple),
    retried=st.integers(0, 1_000_000),
    files=st.one_of(st.none(), st.builds(FilesState, BYTES, BYTES, BYTES, BYTES)),
    parts=st.one_of(
        st.none(), st.builds(PartsState, BYTES, st.integers(0, 10_000), st.just(1), ranges(), ranges(), ranges())
    ),
    attempts=st.lists(
        st.builds(
            AttemptRecord,
            st.integers(0, 10_000),
            st.just(TIME),
            st.floats(0, 1e7),
            BYTES,
            BYTES,
            BYTES,
            st.integers(0, 10**6),
            st.sampled_from(["running", "succeeded", "failed", "killed"]),
            st.one_of(st.none(), TEXT),
        ),
        max_size=12,
    ).map(tuple),
    events=st.lists(st.builds(EventRecord, st.just(TIME), TEXT), max_size=12).map(tuple),
)


@given(RECORDS)
def test_bounded(record: TransferRecord) -> None:
    """Whatever is in a record, its JSON is short, and what it says can be read again."""
    data = record.as_json()
    assert len(json.dumps(data)) <= MAX_TRANSFER_CHARS
    read = TransferRecord.parse(json.loads(json.dumps(data)))
    assert (read.sent, read.verified, read.total, read.state) == (
        record.sent,
        record.verified,
        record.total,
        record.state,
    )


def test_longest() -> None:
    """A record with as much of everything as there can be, in letters that JSON blows up, is short as well."""
    attempt = AttemptRecord(10_000, TIME, 1e7, 10**13, 10**13, 10**13, 10**6, "failed", "\U0001f4a3" * 500)
    holes = ",".join(str(number) for number in range(1000, 2000, 2))
    longest = replace(
        RECORD,
        target="\U0001f4a3" * 500,
        source="\U0001f4a3" * 500,
        rates=tuple((1e6 + number, 10**12) for number in range(MAX_RATES)),
        attempts=(attempt,) * 10,
        events=(EventRecord(TIME, "\U0001f4a3" * 500),) * 10,
        parts=PartsState(5 * 2**30, 10_000, 1, holes, holes, holes),
    )
    data = longest.as_json()
    assert len(json.dumps(data)) <= MAX_TRANSFER_CHARS
    TransferRecord.parse(data)


def test_nothing_is_lost() -> None:
    """What is not long comes back as it was."""
    assert TransferRecord.parse(json.loads(json.dumps(RECORD.as_json()))) == RECORD


@pytest.mark.parametrize("damage", [{"rate": float("nan")}, {"started_at": "\ud800"}])
def test_what_cannot_be_stored(damage: Any) -> None:
    """A record that Airflow could not store is refused before it is written: with it a checkpoint would be lost."""
    with pytest.raises(ValueError, match=r"JSON compliant|surrogates"):
        replace(RECORD, **damage).as_json()


def test_few_events_are_all_kept() -> None:
    """Of few events none is lost where others have to be shortened."""
    error = "x" * 200
    attempts = tuple(replace(RECORD.attempts[0], number=number, error=error) for number in range(10))
    rates = tuple((1e6 + number, 10**12) for number in range(MAX_RATES))
    data = replace(RECORD, attempts=attempts, rates=rates, target="ü" * 300, events=RECORD.events * 4).as_json()
    assert len(data["attempts"][0]["error"]) < len(error)  # there was too much
    assert len(data["events"]) == 4


def test_keys_that_do_not_apply_are_absent() -> None:
    """A transfer of one object has no files, and one without parts no parts."""
    data = replace(RECORD, files=None, parts=None).as_json()
    assert not {"files", "parts"} & data.keys()
    assert RECORD.as_json()["parts"] == {
        "size": 10,
        "count": 10,
        "first": 1,
        "stored": "1-6",
        "verified": "1-2",
        "in_flight": "7,8",
    }


def test_keys_that_are_not_known_are_ignored() -> None:
    """A later version may write more."""
    assert TransferRecord.parse(RECORD.as_json() | {"mood": "good"}) == RECORD


@pytest.mark.parametrize(
    "data",
    [
        None,
        "text",
        [],
        {},
        RECORD.as_json() | {"version": 2},
        RECORD.as_json() | {"sent": -1},
        RECORD.as_json() | {"state": "glad"},
        RECORD.as_json() | {"rates": [["a", "b"]]},
        RECORD.as_json() | {"attempts": [{"number": 1}]},
        RECORD.as_json() | {"parts": {"size": 1}},
        RECORD.as_json() | {"target": "x" * 301},
        RECORD.as_json() | {"rate": float("nan")},
        RECORD.as_json() | {"attempts": [RECORD.as_json()["attempts"][0] | {"seconds": float("inf")}]},
        RECORD.as_json() | {"attempts": [RECORD.as_json()["attempts"][0] | {"started_at": "\ud800"}]},
        RECORD.as_json() | {"attempts": [RECORD.as_json()["attempts"][0] | {"sent": 10**4000}]},
    ],
)
def test_what_is_no_record(data: Any) -> None:
    """People can edit it: what does not follow the schema is refused, with the place."""
    with pytest.raises(OSSCheckpointUnreadable, match="transfer record"):
        TransferRecord.parse(data)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("/data/exports/dump.bin", "dump.bin"),
        ("https://user:secret@host/exports/dump.bin?token=secret", "dump.bin"),
        ("s3://key:secret@bucket/a/", "a"),
        ("load_rows", "load_rows"),
        ("/data/line\nbreak", "line\\nbreak"),
        ("/", ""),
        ("/data/what?.csv", "what?.csv"),
        ("https://host/dump.bin?a='secret'&token=(secret)", "dump.bin"),
    ],
)
def test_the_name_of_a_source(source: str, name: str) -> None:
    """Only the last component is shown: of a URL neither user nor query."""
    assert name_of_source(source) == name


@pytest.mark.parametrize(
    "text",
    [
        "OSError: https://user:secret@host:8000/path?signature=secret refused",
        "Error: postgresql://admin:secret@db/x is down",
        'ValueError: url="https://host/a?Signature=secret&Expires=1", retry',
        "OSError: https://host/a?name='b'&Signature=secret",
        "OSError: https://host/a?name=(b)&Signature=secret",
        "Error: postgresql://admin:pass@secret@db/x is down",
    ],
)
def test_no_secret_of_a_url(text: str) -> None:
    """User, password and query of a URL are left out of errors and events."""
    data = replace(
        RECORD,
        target=text,
        source=text,
        attempts=(replace(RECORD.attempts[0], error=text),),
        events=(EventRecord(TIME, text),),
    ).as_json()
    assert "secret" not in json.dumps(data)
    assert "secret" not in error_text(text)


def test_no_secret_of_a_part_of_a_url() -> None:
    """Libraries name an address without its host, too."""
    assert "secret" not in error_text("MaxRetryError: exceeded with url: /a?Signature=secret (Caused by it)")


def test_a_key_with_a_question_mark() -> None:
    """A key may hold whatever a URL is made of: the object is shown by its whole name."""
    target = "oss://exports/a//b@c?d=e.csv"
    assert replace(RECORD, target=target).as_json()["target"] == target


def test_thinned() -> None:
    """When there are too many rates every second one stays, the last one always."""
    rates = [(float(second), second) for second in range(1, MAX_RATES + 2)]
    kept = thinned(rates)
    assert len(kept) == 31
    assert kept[-1] == rates[-1]
    assert thinned(rates[:MAX_RATES]) == rates[:MAX_RATES]


def test_an_error_without_words() -> None:
    """Of an error that cannot say what it is there is the name."""

    class SilentError(Exception):
        def __str__(self) -> str:
            raise ValueError("no words")

    assert said_by(SilentError()) == "SilentError"
    assert said_by(OSError("no space")) == "OSError: no space"
