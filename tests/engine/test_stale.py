"""Which uploads are forgotten: the decision alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_provider_oss.engine.stale import (
    Activity,
    Fate,
    activity,
    checkpoints_of,
    fate,
    is_live,
    without_upload,
)
from airflow_provider_oss.model import Checkpoint, Fingerprint, FoundCheckpoint, ListedUpload, ObjectRef, StoredPart

REF = ObjectRef("exports", "a/dump.bin")
UPLOAD = ListedUpload(REF, "U1", 1000)
CHECKPOINT = Checkpoint(
    REF, "U1", 100, Fingerprint("f", 1), "", created_at="1970-01-01T00:10:00Z", updated_at="1970-01-01T01:00:00+00:00"
)
FOUND = FoundCheckpoint("Variable v", "{}", CHECKPOINT, "d/r/t", "v")
UNREADABLE = FoundCheckpoint("Variable w", '{"upload_id": "U1", ...', None, None, "w")
SAVED = 3600


def part(number: int, stored_at: int | None) -> StoredPart:
    return StoredPart(number, 10, stored_at=stored_at)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([], Activity(0, 1000)),
        ([part(1, 2000), part(2, 1500)], Activity(20, 2000)),
        ([part(1, 500)], Activity(10, 1000)),
        ([part(1, 2000), part(2, None)], Activity(20, None)),
    ],
)
def test_activity(parts: list[StoredPart], expected: Activity) -> None:
    """The bytes of all parts; and when the last was stored, or the upload was begun; not known if OSS tells not all."""
    assert activity(UPLOAD, parts) == expected


@pytest.mark.parametrize(
    ("seen", "is_named", "expected"),
    [
        (Activity(10, 2000), False, Fate.FORGOTTEN),
        (Activity(10, 2000), True, Fate.CHECKPOINT),
        (Activity(10, 2001), False, Fate.RECENT),
        (Activity(10, None), False, Fate.UNKNOWN),
        (None, False, Fate.UNKNOWN),
        (None, True, Fate.CHECKPOINT),
    ],
)
def test_fate(seen: Activity | None, expected: Fate, *, is_named: bool) -> None:
    """Only what is known to be old, and is named by nobody, is forgotten."""
    assert fate(seen, is_named=is_named, cutoff=2000) is expected


@pytest.mark.parametrize(
    ("found", "is_over", "cutoff", "expected"),
    [
        (FOUND, True, SAVED, False),
        (FOUND, True, SAVED - 1, True),
        (FOUND, False, SAVED, True),
        (UNREADABLE, True, SAVED, True),
        (replace(FOUND, checkpoint=replace(CHECKPOINT, updated_at="")), True, 600, False),
        (replace(FOUND, checkpoint=replace(CHECKPOINT, updated_at="yesterday")), True, 599, True),
        (replace(FOUND, checkpoint=replace(CHECKPOINT, updated_at="", created_at="")), True, 10**10, True),
        (replace(FOUND, checkpoint=replace(CHECKPOINT, updated_at="1970-01-01", created_at="")), True, 10**10, True),
    ],
)
def test_live(found: FoundCheckpoint, cutoff: float, *, is_over: bool, expected: bool) -> None:
    """A checkpoint is dead when its task is over, it was saved long ago, and both are known."""
    assert is_live(found, is_over=is_over, cutoff=cutoff) is expected


def test_names() -> None:
    """A checkpoint names its upload of its key; what cannot be read may name any whose id it has."""
    others = [
        replace(FOUND, checkpoint=replace(CHECKPOINT, upload_id="U2")),
        replace(FOUND, checkpoint=replace(CHECKPOINT, ref=ObjectRef("other", REF.key))),
        replace(UNREADABLE, text="gibberish"),
    ]
    assert checkpoints_of(UPLOAD, [*others, FOUND, UNREADABLE]) == [FOUND, UNREADABLE]


def test_checkpoints_without_upload() -> None:
    """Only what a complete listing of the prefix would have shown is missed."""
    gone = replace(FOUND, checkpoint=replace(CHECKPOINT, upload_id="U2"))
    elsewhere = [
        replace(FOUND, checkpoint=replace(CHECKPOINT, ref=ObjectRef("other", REF.key))),
        replace(FOUND, checkpoint=replace(CHECKPOINT, ref=ObjectRef("exports", "b/dump.bin"))),
    ]
    assert without_upload([FOUND, gone, UNREADABLE, *elsewhere], [UPLOAD], "exports", "a/") == [gone]
