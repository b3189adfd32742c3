"""Checkpoints as JSON: nothing is lost on the way, and what people make of them is never more than unreadable."""

from __future__ import annotations

import itertools
import json
import os
from base64 import b85encode
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from airflow_provider_oss.checkpoint.codec import MAX_RECORD_CHARS, _validator, decode, encode
from airflow_provider_oss.engine.plan import PartRanges
from airflow_provider_oss.exceptions import OSSCheckpointUnreadable, OSSInvalidArgument
from airflow_provider_oss.limits import MAX_KEY_BYTES, MAX_OBJECT_SIZE_BYTES, MAX_PART_SIZE_BYTES
from airflow_provider_oss.model import Checkpoint, Fingerprint, ObjectRef

OWNER = "dag/run/task"
TIME = "2026-11-21T20:58:00.123456+00:00"


@st.composite
def refs(draw: st.DrawFn) -> ObjectRef:
    bucket = draw(st.from_regex(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", fullmatch=True))
    key = draw(st.text(st.characters(codec="utf-8"), min_size=1, max_size=60))
    return ObjectRef(bucket, key.lstrip("/\\") or "k")


@st.composite
def part_ranges(draw: st.DrawFn) -> str:
    ranges = PartRanges()
    for number in draw(st.sets(st.integers(1, 10_000), max_size=200)):
        ranges.add(number)
    return ranges.as_text()


TIMES = st.sampled_from(["", "2026-11-21T20:58:00Z", "2026-11-21T20:58:00.123456+00:00"])
# Small enough for a record to hold all of them; what becomes of longer ones has tests of its own
CHECKPOINTS = st.builds(
    Checkpoint,
    ref=refs(),
    upload_id=st.from_regex(r"[A-Za-z0-9_-]{1,128}", fullmatch=True),
    part_size_bytes=st.integers(1, MAX_PART_SIZE_BYTES),
    source=st.builds(
        Fingerprint,
        st.text(st.characters(codec="utf-8"), max_size=14),
        st.one_of(st.none(), st.integers(0, MAX_OBJECT_SIZE_BYTES)),
        st.one_of(st.none(), TIMES),
        st.one_of(st.none(), st.from_regex(r"[ -~]{1,128}", fullmatch=True)),
    ),
    options_digest=st.from_regex(r"[0-9a-f]{16}", fullmatch=True),
    attempt=st.integers(1, 1_000_000),
    done_parts=part_ranges(),
    done_bytes=st.integers(0, MAX_OBJECT_SIZE_BYTES),
    created_at=TIMES,
    updated_at=TIMES,
    schedule=st.sampled_from(["constant", "growing-1", "growing-2"]),
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
    names = [*record, "schedule", *(f"source/{name}" for name in ("name", "size", "modified_at", "version"))]
    name = data.draw(st.sampled_from(names))
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
        ({"done_parts": "\n"}, "done_parts"),
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


LONG_NAMES = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=2000),
    st.sampled_from(["\x01", '"', "k", "ü", "中", "😀", "\\/"]).map(lambda text: text * 2000),
)


@st.composite
def longest_keys(draw: st.DrawFn) -> str:
    """Return a key as long as OSS allows, or as a piece that is repeated comes to it."""
    pieces = st.one_of(st.characters(codec="utf-8"), st.sampled_from(["\x01", '"', "k", "ü", "中", "😀", "\\"]))
    piece = "".join(draw(st.lists(pieces, min_size=1, max_size=20)))
    key = "k" + piece * MAX_KEY_BYTES
    return key.encode()[:MAX_KEY_BYTES].decode(errors="ignore")


@st.composite
def scattered_parts(draw: st.DrawFn) -> str:
    """Return the ranges of done parts among 10,000 that are scattered from some part on, each range of some length."""
    ranges, step = PartRanges(), draw(st.integers(2, 40))
    lengths = draw(st.lists(st.integers(1, step), min_size=1, max_size=10))
    for number, length in zip(range(draw(st.integers(1, 9000)), 9960, step), itertools.cycle(lengths), strict=False):
        for done in range(number, number + length):
            ranges.add(done)
    return ranges.as_text()


LONG_VERSIONS = st.text(st.characters(codec="utf-8"), min_size=100, max_size=128)
LONGEST = st.builds(
    Checkpoint,
    ref=st.builds(ObjectRef, st.just("b" * 63), longest_keys()),
    upload_id=st.sampled_from(["", "U" * 32, "U" * 128]),
    part_size_bytes=st.just(MAX_PART_SIZE_BYTES),
    source=st.builds(
        Fingerprint, LONG_NAMES, st.just(MAX_OBJECT_SIZE_BYTES), st.just(TIME), st.one_of(st.none(), LONG_VERSIONS)
    ),
    options_digest=st.just("0" * 16),
    attempt=st.just(1_000_000_000),
    done_parts=scattered_parts(),
    done_bytes=st.just(MAX_OBJECT_SIZE_BYTES),
    created_at=st.just(TIME),
    updated_at=st.just(TIME),
    seal=st.just("5" * 16),
    proof=st.sampled_from(["", "6" * 16]),
    schedule=st.sampled_from(["constant", "s" * 16]),
)


@given(LONGEST, LONG_NAMES)
def test_size_at_worst(checkpoint: Checkpoint, owner: str) -> None:
    """Whatever key, path, task and parts there are, a record has 2 KB at most, and all that decides comes back."""
    record = encode(checkpoint, owner)
    assert len(json.dumps(record)) <= MAX_RECORD_CHARS == 2048

    found = decode(record, owner)
    assert (
        replace(found, source=checkpoint.source, done_parts=checkpoint.done_parts, proof=checkpoint.proof) == checkpoint
    )
    assert found.proof in ("", checkpoint.proof)
    assert not found.proof or (found.done_parts, found.source.version) == (
        checkpoint.done_parts,
        checkpoint.source.version,
    )
    assert found.source.version in (None, checkpoint.source.version)
    assert found.source == replace(checkpoint.source, name=found.source.name, version=found.source.version)
    assert checkpoint.source.name.endswith(found.source.name)
    kept, all_ranges = found.done_parts.split(","), checkpoint.done_parts.split(",")
    assert [each for each in all_ranges if each in kept] == kept
    with pytest.raises(OSSCheckpointUnreadable, match="belongs to"):
        decode(record, f"another {owner}")


def test_the_longest_copy_has_its_proof() -> None:
    """Beside the longest key there is room for all that lets a copy continue: name, version, parts and their proof."""
    copied = Fingerprint("n" * 60, MAX_OBJECT_SIZE_BYTES, version="v" * 32)
    seal = {"seal": "5" * 16, "proof": "6" * 16}
    digest, parts = "0" * 16, "1-9999"
    checkpoint = Checkpoint(
        ObjectRef("b" * 63, "ü" * 511),
        "U" * 32,
        MAX_PART_SIZE_BYTES,
        copied,
        digest,
        99,
        parts,
        10**13,
        TIME,
        TIME,
        **seal,
    )
    assert decode(encode(checkpoint, "o" * 300), "o" * 300) == checkpoint


def test_a_seal_is_of_its_owner() -> None:
    """A record whose owner was edited names an upload that its seal does not fit to."""
    checkpoint = replace(decode(usual(), OWNER), seal="5" * 16)
    record = encode(checkpoint, OWNER)
    assert decode(record, OWNER).seal == "5" * 16
    assert decode(record | {"owner": "dag/run/other"}, "dag/run/other").seal != "5" * 16


@pytest.mark.parametrize("number", [10**2000, -(10**2000), 53687091200001])
def test_numbers_out_of_bounds(number: int) -> None:
    """Numbers that no upload has make a record unreadable, at once."""
    for name in ("done_bytes", "attempt", "part_size"):
        with pytest.raises(OSSCheckpointUnreadable, match=name):
            decode(usual(**{name: number}), OWNER)


@given(LONGEST)
def test_another_object_is_recognised(checkpoint: Checkpoint) -> None:
    """A key that differs in its last character only is another key, however it is written down."""
    key = checkpoint.ref.key
    another = replace(checkpoint, ref=ObjectRef(checkpoint.ref.bucket, key[:-1] + ("a" if key[-1] != "a" else "b")))
    assert decode(encode(another, OWNER), OWNER).ref == another.ref != checkpoint.ref


def test_the_longest_ranges_are_kept() -> None:
    """Where there is no room for all ranges, those of the most parts stay, in their order."""
    ranges = [f"{number}" for number in range(1, 400, 2)]
    ranges[50:50] = ["101-1000"]
    ranges.append("5000-9999")
    checkpoint = replace(decode(usual(), OWNER), done_parts=",".join(ranges))
    found = decode(encode(checkpoint, OWNER), OWNER).done_parts.split(",")
    assert len(found) > 100
    assert {"101-1000", "5000-9999"} <= set(found)
    assert [each for each in ranges if each in found] == found


def test_a_path_that_is_no_utf_8() -> None:
    """The name of a file that is no UTF-8 becomes text that Airflow can send."""
    checkpoint = replace(decode(usual(), OWNER), source=Fingerprint(os.fsdecode(b"/data/gr\xf6sse.bin"), 10))
    record = encode(checkpoint, OWNER)
    assert json.dumps(record, ensure_ascii=False).encode().isascii()
    assert decode(record, OWNER).source.name == "/data/gr\\udcf6sse.bin"
    longest = replace(checkpoint, source=Fingerprint(os.fsdecode(b"\xf6" * 4096), 10))
    assert len(decode(encode(longest, OWNER), OWNER).source.name) == 256


@pytest.mark.parametrize("key", ["k" * 1023, "ü" * 511, "\x01" * 1023])
def test_records_of_earlier_releases(key: str) -> None:
    """A record as it was written before there was a limit is read to the last field."""
    done_parts = ",".join(f"{number}-{number + 1}" for number in range(5000, 5192, 3))
    record = {
        "version": 1,
        "owner": "o" * 700,
        "bucket": "exports",
        "key": key,
        "upload_id": "0004B9894A22E5B1888A1E29F8236E2D",
        "part_size": 100,
        "source": {"name": "/" + "p" * 255, "size": 1_000_000, "modified_at": TIME},
        "options": "0123456789abcdef",
        "attempt": 3,
        "done_parts": done_parts,
        "done_bytes": 12_800,
        "created_at": TIME,
        "updated_at": TIME,
    }
    assert decode(record, "o" * 700) == Checkpoint(
        ObjectRef("exports", key),
        "0004B9894A22E5B1888A1E29F8236E2D",
        100,
        Fingerprint("/" + "p" * 255, 1_000_000, TIME),
        "0123456789abcdef",
        3,
        done_parts,
        12_800,
        TIME,
        TIME,
    )


@pytest.mark.parametrize(
    "base85", ["~~~~~", "k" * 1280, "ü", "0RaI4\\", b85encode(b"\xff").decode(), b85encode(b"/a").decode(), ""]
)
def test_key_that_is_no_base85(base85: str) -> None:
    """A key that cannot be decoded makes a record unreadable."""
    with pytest.raises(OSSCheckpointUnreadable):
        decode(usual(key={"base85": base85}), OWNER)


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


def test_no_text_may_end_with_a_line_break() -> None:
    """In a pattern "$" stands before one, too; a field with one is unreadable."""

    def patterns(part: Any) -> Iterator[str]:
        for name, value in part.items():
            if name == "pattern":
                yield value
            elif isinstance(value, dict):
                yield from patterns(value)

    found = list(patterns(_validator().schema))
    assert len(found) > 8
    assert [pattern for pattern in found if not pattern.endswith(r"$(?!\n)")] == []


def test_the_schema_is_one() -> None:
    """The shipped schema is valid JSON Schema."""
    Draft202012Validator.check_schema(_validator().schema)


def test_a_version_beside_a_usual_key() -> None:
    """With keys, names and tasks as people make them, the longest version comes back."""
    source = Fingerprint("s3://exports/warehouse/orders.parquet", 10, TIME, version="v" * 128)
    checkpoint = Checkpoint(ObjectRef("exports", "k" * 300), "U" * 32, 100, source, "0" * 16, done_parts="1-57")
    assert decode(encode(checkpoint, OWNER), OWNER) == checkpoint


def test_what_earlier_records_lack() -> None:
    """A record without a schedule is of parts of one size, and without a version of a source that has none."""
    record = usual()
    assert "schedule" not in record
    assert "version" not in record["source"]
    found = decode(record, OWNER)
    assert (found.schedule, found.source.version) == ("constant", None)


@pytest.mark.parametrize(
    ("changes", "where"),
    [({"schedule": "Growing!"}, "schedule"), ({"schedule": None}, "schedule"), ({"schedule": "s" * 17}, "schedule")],
)
def test_schedules_that_are_none(changes: dict[str, Any], where: str) -> None:
    """What is no name of a schedule is unreadable; an unknown name is read, for the engine to begin anew."""
    with pytest.raises(OSSCheckpointUnreadable, match=where):
        decode(usual(**changes), OWNER)
    assert decode(usual(schedule="growing-7"), OWNER).schedule == "growing-7"
