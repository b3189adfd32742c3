"""Checkpoints as JSON: nothing is lost on the way, and what people make of them is never more than unreadable."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from airflow_provider_oss.checkpoint.codec import _validator, decode, encode
from airflow_provider_oss.exceptions import OSSCheckpointUnreadable, OSSInvalidArgument
from airflow_provider_oss.limits import MAX_OBJECT_SIZE_BYTES, MAX_PART_SIZE_BYTES
from airflow_provider_oss.model import Checkpoint, Fingerprint, ObjectRef
from airflow_provider_oss.transfer.ranges import MAX_RANGES, PartRanges

OWNER = "dag/run/task"


@st.composite
def refs(draw: st.DrawFn) -> ObjectRef:
    bucket = draw(st.from_regex(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", fullmatch=True))
    key = draw(st.text(st.characters(codec="utf-8"), min_size=1, max_size=300))
    return ObjectRef(bucket, key.lstrip("/\\") or "k")


@st.composite
def part_ranges(draw: st.DrawFn) -> str:
    ranges = PartRanges()
    for number in draw(st.sets(st.integers(1, 10_000), max_size=200)):
        ranges.add(number)
    return ranges.as_text()


TIMES = st.sampled_from(["", "2026-11-21T20:58:00Z", "2026-11-21T20:58:00.123456+00:00"])
CHECKPOINTS = st.builds(
    Checkpoint,
    ref=refs(),
    upload_id=st.from_regex(r"[A-Za-z0-9_-]{1,128}", fullmatch=True),
    part_size_bytes=st.integers(1, MAX_PART_SIZE_BYTES),
    source=st.builds(
        Fingerprint,
        st.text(st.characters(codec="utf-8"), max_size=256),
        st.integers(0, MAX_OBJECT_SIZE_BYTES),
        st.one_of(st.none(), TIMES),
    ),
    options_digest=st.from_regex(r"[0-9a-f]{16}", fullmatch=True),
    attempt=st.integers(1, 1_000_000),
    done_parts=part_ranges(),
    done_bytes=st.integers(0, MAX_OBJECT_SIZE_BYTES),
    created_at=TIMES,
    updated_at=TIMES,
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=20,
)


@given(CHECKPOINTS)
def test_nothing_is_lost(checkpoint: Checkpoint) -> None:
    """Any checkpoint comes back equal, from the record itself and from its JSON text."""
    record = encode(checkpoint, OWNER)
    assert decode(record, OWNER) == checkpoint
    assert decode(json.loads(json.dumps(record)), OWNER) == checkpoint
    assert decode(json.dumps(record), OWNER) == checkpoint


@given(JSON)
def test_any_json_is_unreadable_at_worst(data: Any) -> None:
    """Whatever JSON is there instead of a checkpoint, the error is the one that says so."""
    for form in (data, json.dumps(data)):
        with pytest.raises(OSSCheckpointUnreadable):
            decode(form, OWNER)


@given(st.text())
def test_any_text_is_unreadable_at_worst(text: str) -> None:
    """Whatever text is there instead of a checkpoint, the error is the one that says so, with the text's beginning."""
    with pytest.raises(OSSCheckpointUnreadable, match="checkpoint"):
        decode(text, OWNER)


@given(CHECKPOINTS, st.data())
def test_any_edit_is_unreadable_at_worst(checkpoint: Checkpoint, data: st.DataObject) -> None:
    """A record that was edited is read, or is unreadable; nothing else comes of it."""
    record: dict[str, Any] = encode(checkpoint, OWNER)
    name = data.draw(st.sampled_from([*record, "source/name", "source/size", "source/modified_at"]))
    value = data.draw(JSON)
    if "/" in name:
        record["source"][name.removeprefix("source/")] = value
    else:
        record[name] = value
    try:
        found = decode(record, OWNER)
    except OSSCheckpointUnreadable:
        return
    assert isinstance(found, Checkpoint)


def usual(**changes: Any) -> dict[str, Any]:
    checkpoint = Checkpoint(ObjectRef("exports", "key"), "U1", 100, Fingerprint("/a", 10), "0" * 16)
    return encode(checkpoint, OWNER) | changes


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"version": 2}, "version"),
        ({"version": "1"}, "version"),
        ({"part_size": 0}, "part_size"),
        ({"part_size": 1.5}, "part_size"),
        ({"part_size": MAX_PART_SIZE_BYTES + 1}, "part_size"),
        ({"upload_id": "x" * 129}, "upload_id"),
        ({"upload_id": "a b"}, "upload_id"),
        ({"attempt": 0}, "attempt"),
        ({"done_parts": "1-"}, "done_parts"),
        ({"done_parts": "1-999999"}, "done_parts"),
        ({"done_parts": "1," * 600 + "1"}, "done_parts"),
        ({"source": {"name": "/a", "size": -1}}, "source/size"),
        ({"source": {"name": "/a"}}, "source"),
        ({"options": "zz"}, "options"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], where: str) -> None:
    """The error names the field that does not follow the schema and shows the record, which may name an upload."""
    with pytest.raises(OSSCheckpointUnreadable, match=f"checkpoint, {where}: .*it reads .*'owner'"):
        decode(usual(**changes), OWNER)


@pytest.mark.parametrize(
    "changes",
    [
        {"upload_id": ""},
        {"upload_id": "", "created_at": "today"},
        {"upload_id": "", "created_at": "2026-11-21T20:58:00"},
        {"created_at": "today"},
        {"created_at": "2026-11-21T20:58:00"},
    ],
)
def test_time_that_is_none(changes: dict[str, Any]) -> None:
    """A time of beginning that cannot be compared is named; it may be absent only where an upload has its id."""
    with pytest.raises(OSSCheckpointUnreadable, match=r"checkpoint: created_at='.*' is no time .*it reads .*'owner'"):
        decode(usual(**changes), OWNER)
    assert decode(usual(created_at=""), OWNER).upload_id == "U1"


@given(CHECKPOINTS, TIMES.filter(bool))
def test_upload_about_to_begin(checkpoint: Checkpoint, created_at: str) -> None:
    """The intent to begin an upload, which has no id yet, comes back equal too."""
    intent = replace(checkpoint, upload_id="", created_at=created_at)
    assert decode(json.dumps(encode(intent, OWNER)), OWNER) == intent


@pytest.mark.parametrize("key", ["/a", "\\a", "ü" * 512, "\ud800"])
def test_key_that_only_we_can_judge(key: str) -> None:
    """A key that the schema lets through but OSS would refuse is unreadable too, with the cause."""
    with pytest.raises(OSSCheckpointUnreadable) as caught:
        decode(usual(key=key), OWNER)
    assert isinstance(caught.value.__cause__, OSSInvalidArgument)


def test_another_owner() -> None:
    """A checkpoint of another task instance is not this one's, and the error names both."""
    with pytest.raises(OSSCheckpointUnreadable, match="belongs to 'dag/run/task', not to 'dag/run/other'"):
        decode(usual(), "dag/run/other")


def test_unknown_fields_are_left_alone() -> None:
    """A field that a later release of the same version adds does not make a checkpoint unreadable."""
    assert decode(usual(later="field"), OWNER).upload_id == "U1"


def test_deep_nesting_is_unreadable() -> None:
    """JSON that is nested without end is unreadable, not a crash."""
    with pytest.raises(OSSCheckpointUnreadable):
        decode("[" * 100_000, OWNER)


def test_the_excerpt_is_short() -> None:
    """What is shown of an unreadable value has a limit."""
    with pytest.raises(OSSCheckpointUnreadable) as caught:
        decode("x" * 1_000_000, OWNER)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("key", ["k" * 1023, "ü" * 511, "中" * 341, "😀" * 255])
def test_size_at_worst(key: str) -> None:
    """The longest key, path, ids and ranges make 2.5 KB in UTF-8; 8 KB however Airflow escapes it."""
    ranges = PartRanges()
    for number in range(10_000 - 3 * MAX_RANGES, 10_000, 3):
        ranges.add(number)
        ranges.add(number + 1)
    checkpoint = Checkpoint(
        ObjectRef("b" * 63, key),
        "U" * 32,
        MAX_PART_SIZE_BYTES,
        Fingerprint("/a/very/long/path" * 100, MAX_OBJECT_SIZE_BYTES, "2026-11-21T20:58:00.123456+00:00"),
        "0" * 16,
        1_000_000,
        ranges.as_text(),
        MAX_OBJECT_SIZE_BYTES,
        "2026-11-21T20:58:00.123456+00:00",
        "2026-11-21T20:58:00.123456+00:00",
    )
    record = encode(checkpoint, OWNER)
    assert len(json.dumps(record, ensure_ascii=False).encode()) <= 2560
    assert len(json.dumps(record)) <= 8192
    assert decode(record, OWNER).source.name.endswith("/long/path")


def test_usual_size() -> None:
    """The checkpoint of a usual upload of any size is well below 1 KB."""
    ranges = PartRanges()
    for number in [*range(1, 5000), 5003, 5004, 5006]:
        ranges.add(number)
    checkpoint = Checkpoint(
        ObjectRef("exports", "warehouse/orders/day=2026-11-21/orders.parquet"),
        "0004B9894A22E5B1888A1E29F8236E2D",
        8 * 2**20,
        Fingerprint("/data/exports/orders.parquet", 40 * 2**30, "2026-11-21T20:58:00Z"),
        "0123456789abcdef",
        done_parts=ranges.as_text(),
        created_at="2026-11-21T20:58:00Z",
        updated_at="2026-11-21T20:58:00Z",
    )
    assert len(json.dumps(encode(checkpoint, "export/scheduled__2026-11-21T00:00:00+00:00/upload"))) < 700


def test_the_schema_is_one() -> None:
    """The shipped schema is valid JSON Schema."""
    Draft202012Validator.check_schema(_validator().schema)
