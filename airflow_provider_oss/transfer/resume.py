"""May an upload that a checkpoint names be continued? Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

from airflow_provider_oss import limits
from airflow_provider_oss.model import Checkpoint, Fingerprint, ObjectRef
from airflow_provider_oss.transfer.plan import DEFAULT_PART_SIZE_BYTES, Plan, automatic_part_size_bytes, make_plan


@dataclass(frozen=True, slots=True)
class Wanted:
    """What this attempt is to upload."""

    ref: ObjectRef
    size_bytes: int | None
    """None: not known, but more than one part."""
    part_size_bytes: int | None
    """What the user asked for; None leaves the choice to us."""
    options_digest: str
    copied_from: Fingerprint | None = None
    """The source of a copy. Parts made of anything else are of no use, since nothing of them can be compared."""


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


def decide(checkpoint: Checkpoint | None, wanted: Wanted) -> Decision:
    """
    Return how to begin. Whether the *data* is still the same is not asked here: each part is verified on its own.

    Raises OSSInvalidArgument when what is wanted cannot be planned.
    """
    plan = make_plan(wanted.size_bytes, wanted.part_size_bytes)
    if checkpoint is None:
        return Fresh(plan, "no checkpoint")
    same_parts = replace(plan, part_size_bytes=checkpoint.part_size_bytes)
    obstacle = _obstacle(checkpoint, wanted, same_parts)
    if obstacle:
        return Fresh(plan, obstacle, abandoned=checkpoint)
    return Continue(same_parts, checkpoint)


def _obstacle(checkpoint: Checkpoint, wanted: Wanted, plan: Plan) -> str | None:
    """Return the first reason why the checkpoint's upload cannot become what is wanted."""
    part_size_bytes = checkpoint.part_size_bytes
    obstacles = (
        (not checkpoint.upload_id, "the last attempt ended before it knew its upload id"),
        (checkpoint.ref != wanted.ref, f"it is of {checkpoint.ref}"),
        (
            checkpoint.options_digest != wanted.options_digest,
            "mime, meta, headers, storage_class or tags changed, and OSS fixes them when an upload begins",
        ),
        (
            wanted.copied_from is not None and not checkpoint.source.is_same_content(wanted.copied_from),
            "its parts were copied from another object, or from another version of it",
        ),
        (
            part_size_bytes != _expected_part_size_bytes(checkpoint, wanted),
            f"the part size changed from {part_size_bytes} bytes",
        ),
        (
            plan.count > limits.MAX_PARTS,
            f"the source grew past {limits.MAX_PARTS} parts of {part_size_bytes} bytes",
        ),
        (
            wanted.size_bytes is not None and wanted.size_bytes <= part_size_bytes,
            "the source shrank to one part",
        ),
        (checkpoint.schedule != plan.schedule, f"its parts were cut by another rule ({checkpoint.schedule})"),
    )
    return next((reason for is_in_the_way, reason in obstacles if is_in_the_way), None)


def _expected_part_size_bytes(checkpoint: Checkpoint, wanted: Wanted) -> int:
    """Return what was asked for, else what the source's size at the beginning led to: a grown file keeps its parts."""
    if wanted.part_size_bytes is not None:
        return wanted.part_size_bytes
    begun_with = checkpoint.source.size_bytes
    return DEFAULT_PART_SIZE_BYTES if begun_with is None else automatic_part_size_bytes(begun_with)
