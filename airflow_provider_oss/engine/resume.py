"""
Whether the upload that a checkpoint names is continued, and what the checkpoint says of its parts and of itself. Pure.

People can edit Variables, XComs and task state. So two digests stand in a checkpoint. The *seal* is over what names its
upload: what it does not fit to is neither continued nor aborted, for it may be another's. The *proof* is over the parts
that were seen to be the source's, by their ETags: only where OSS lists the same ones does an equal version of the
source stand for them, and they need not be read again. A checkpoint without them, of an earlier version of the package,
is continued, and all of its parts are read and compared.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from airflow_provider_oss import limits
from airflow_provider_oss.engine.plan import (
    DEFAULT_PART_SIZE_BYTES,
    PartRanges,
    Plan,
    automatic_part_size_bytes,
    make_plan,
)
from airflow_provider_oss.model import Checkpoint, CompletedPart, Fingerprint, ObjectRef, StoredPart


class DoneParts:
    """
    The parts of an upload that are stored and the source's, as far as an attempt has come.

    It keeps the numbers of those that the attempt has sent: when all are verified once more, they are found again.
    """

    def __init__(self) -> None:
        self._completed: dict[int, CompletedPart] = {}
        self._ranges = PartRanges()
        self._size_bytes = 0
        self._sent: set[int] = set()

    def restart(self, stored: Iterable[StoredPart] = ()) -> None:
        """Know nothing but what a checkpoint alone knows: it must not be lost; what OSS lists it will list again."""
        believed = [part for part in stored if part.is_only_believed]
        self._completed = {}
        self._ranges = PartRanges(part.number for part in believed)
        self._size_bytes = sum(part.size_bytes for part in believed)

    def forget_sent(self) -> None:
        """Take no part for one that this attempt has sent: it sends to another upload from now on."""
        self._sent.clear()

    def add(self, part: CompletedPart, *, was_sent: bool) -> None:
        """Add a part that was sent now, or found stored."""
        self._completed[part.number] = part
        if self._ranges.add(part.number):
            self._size_bytes += part.size_bytes
        if was_sent:
            self._sent.add(part.number)

    def was_sent(self, number: int) -> bool:
        """Whether this attempt has sent the part."""
        return number in self._sent

    @property
    def completed(self) -> Mapping[int, CompletedPart]:
        """The parts by number, without those that only a checkpoint knows."""
        return self._completed

    @property
    def are_all_sent(self) -> bool:
        """Whether this attempt has sent every one of them."""
        return self._completed.keys() <= self._sent

    def noted_in(self, checkpoint: Checkpoint, now: str) -> Checkpoint:
        """Return the checkpoint with these parts in it."""
        return replace(checkpoint, done_parts=self._ranges.as_text(), done_bytes=self._size_bytes, updated_at=now)


def parse_ranges(text: str, highest: int) -> frozenset[int]:
    """Return the numbers from 1 to ``highest`` that ``text`` names. Raises ValueError when it is no such text."""
    return frozenset(_numbers(text, highest)) if text else frozenset()


def _numbers(text: str, highest: int) -> Iterator[int]:
    for item in text.split(","):
        first, _, last = item.partition("-")
        yield from range(max(1, int(first)), min(int(last or first), highest) + 1)


_DIGEST_CHARS: Final = 16


def sealed(checkpoint: Checkpoint) -> Checkpoint:
    """Return the checkpoint of an upload that this attempt has begun, or is about to begin."""
    return replace(checkpoint, seal=_seal(checkpoint))


def is_sealed(checkpoint: Checkpoint) -> bool:
    """Whether it names what it named when it was made: only then may its upload be aborted."""
    return checkpoint.seal == _seal(checkpoint)


def is_of_file(checkpoint: Checkpoint, ref: ObjectRef, path: str) -> bool:
    """Whether an attempt has read the file at ``path`` to make the object: a store keeps the end of its name alone."""
    name = path.encode("utf-8", "backslashreplace").decode()
    return checkpoint.ref == ref and name.endswith(checkpoint.source.name)


def is_edited(checkpoint: Checkpoint) -> bool:
    """Whether it names something else by now."""
    return bool(checkpoint.seal) and not is_sealed(checkpoint)


def with_proof(checkpoint: Checkpoint, seen: Mapping[int, CompletedPart]) -> Checkpoint:
    """Return it with the proof for its ``done_parts``, all of which must be among those that were ``seen``."""
    numbers = _done(checkpoint)
    if checkpoint.source.version is None or not numbers or not numbers <= seen.keys():
        return replace(checkpoint, proof="")
    return replace(checkpoint, proof=_proof(checkpoint, numbers, seen))


def proven_parts(checkpoint: Checkpoint, listed: Mapping[int, StoredPart]) -> frozenset[int]:
    """Return the numbers of the listed parts that an attempt has seen to be those of the source as it was then."""
    numbers = _done(checkpoint)
    is_proven = bool(checkpoint.proof) and numbers <= listed.keys() and bool(numbers)
    return numbers if is_proven and checkpoint.proof == _proof(checkpoint, numbers, listed) else frozenset()


def _done(checkpoint: Checkpoint) -> frozenset[int]:
    return parse_ranges(checkpoint.done_parts, limits.MAX_PARTS)


def _named(checkpoint: Checkpoint) -> list[Any]:
    return [
        checkpoint.ref.bucket,
        checkpoint.ref.key,
        checkpoint.upload_id,
        checkpoint.part_size_bytes,
        checkpoint.schedule,
        checkpoint.options_digest,
        checkpoint.source.size_bytes,
        checkpoint.created_at,
    ]


def _seal(checkpoint: Checkpoint) -> str:
    return digest_of(_named(checkpoint))


def _proof(
    checkpoint: Checkpoint, numbers: frozenset[int], parts: Mapping[int, CompletedPart] | Mapping[int, StoredPart]
) -> str:
    source = checkpoint.source
    of_parts = [(number, parts[number].size_bytes, parts[number].etag) for number in sorted(numbers)]
    return digest_of([*_named(checkpoint), source.name, source.version, of_parts])


def digest_of(facts: Any) -> str:
    """Return a short digest of plain data: equal facts have equal ones."""
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:_DIGEST_CHARS]


@dataclass(frozen=True, slots=True)
class UploadGoal:
    """What an attempt is to upload."""

    ref: ObjectRef
    size_bytes: int | None
    """None: not known, but more than one part."""
    part_size_bytes: int | None
    """What the user asked for; None leaves the choice to us."""
    options_digest: str
    copied_from: Fingerprint | None = None
    """The source of a copy. Parts made of anything else are of no use, since nothing of them can be compared."""
    always_in_parts: bool = False
    """Whether even what fits into one part is sent as a part."""


@dataclass(frozen=True, slots=True)
class Fresh:
    """Begin anew. ``abandoned`` is the upload that is to be aborted first, if there is one."""

    plan: Plan
    reason: str
    abandoned: Checkpoint | None = None


@dataclass(frozen=True, slots=True)
class Continue:
    """Continue the checkpoint's upload with its parts, if OSS still has it."""

    plan: Plan
    checkpoint: Checkpoint


Decision: TypeAlias = Fresh | Continue


def decide(checkpoint: Checkpoint | None, goal: UploadGoal) -> Decision:
    """
    Return how to begin. Whether the *data* is still the same is not asked here: each part is verified on its own.

    Raises OSSInvalidArgument when what is wanted cannot be planned.
    """
    plan = make_plan(goal.size_bytes, goal.part_size_bytes)
    if checkpoint is None:
        return Fresh(plan, "no checkpoint")
    same_parts = replace(plan, part_size_bytes=checkpoint.part_size_bytes)
    obstacle = _obstacle(checkpoint, goal, same_parts)
    if obstacle:
        return Fresh(plan, obstacle, abandoned=checkpoint)
    return Continue(same_parts, checkpoint)


def _obstacle(checkpoint: Checkpoint, goal: UploadGoal, plan: Plan) -> str | None:
    """Return the first reason why the checkpoint's upload cannot become what is goal."""
    part_size_bytes = checkpoint.part_size_bytes
    obstacles = (
        (is_edited(checkpoint), "the checkpoint was edited: it does not name what it named when it was made"),
        (not checkpoint.upload_id, "the last attempt ended before it knew its upload id"),
        (checkpoint.ref != goal.ref, f"it is of {checkpoint.ref}"),
        (
            checkpoint.options_digest != goal.options_digest,
            "mime, meta, headers, storage_class or tags changed, and OSS fixes them when an upload begins",
        ),
        (
            goal.copied_from is not None and not checkpoint.source.is_same_content(goal.copied_from),
            "its parts were copied from another object, or from another version of it",
        ),
        (
            part_size_bytes != _expected_part_size_bytes(checkpoint, goal),
            f"the part size changed from {part_size_bytes} bytes",
        ),
        (
            plan.count > limits.MAX_PARTS,
            f"the source grew past {limits.MAX_PARTS} parts of {part_size_bytes} bytes",
        ),
        (
            goal.size_bytes is not None and goal.size_bytes <= part_size_bytes and not goal.always_in_parts,
            "the source shrank to one part",
        ),
        (checkpoint.schedule != plan.schedule, f"its parts were cut by another rule ({checkpoint.schedule})"),
    )
    return next((reason for is_in_the_way, reason in obstacles if is_in_the_way), None)


def _expected_part_size_bytes(checkpoint: Checkpoint, goal: UploadGoal) -> int:
    """Return what was asked for, else what the source's size at the beginning led to: a grown file keeps its parts."""
    if goal.part_size_bytes is not None:
        return goal.part_size_bytes
    begun_with = checkpoint.source.size_bytes
    return DEFAULT_PART_SIZE_BYTES if begun_with is None else automatic_part_size_bytes(begun_with)
