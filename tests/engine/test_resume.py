"""May an upload that a checkpoint names be continued?"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_oss import limits
from airflow_provider_oss.engine.plan import DEFAULT_PART_SIZE_BYTES, GROWING_PARTS, GrowingPlan, PartPlan
from airflow_provider_oss.engine.resume import Continue, Fresh, UploadGoal, decide
from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.model import Checkpoint, Fingerprint, ObjectRef
from tests.support.values import checkpoints, part_sizes, sizes

REF = ObjectRef("exports", "a")
PART = limits.MIB
SIZE = 10 * PART
CHECKPOINT = Checkpoint(REF, "U", PART, Fingerprint("file", SIZE), "d" * 16, attempt=2, done_parts="1-3")
WANTED = UploadGoal(REF, SIZE, PART, "d" * 16)


def test_without_a_checkpoint_everything_is_new() -> None:
    """No checkpoint means a new upload, with nothing to abort."""
    assert decide(None, WANTED) == Fresh(PartPlan(SIZE, PART), "no checkpoint")


@pytest.mark.parametrize("size_bytes", [SIZE, SIZE + 1, SIZE - 1, 2 * SIZE, PART + 1, 10_000 * PART])
def test_the_same_wish_is_continued(size_bytes: int) -> None:
    """An upload to the same object with the same part size goes on, also when the source grew or shrank."""
    decision = decide(CHECKPOINT, replace(WANTED, size_bytes=size_bytes))

    assert decision == Continue(PartPlan(size_bytes, PART), CHECKPOINT)


def test_a_copy_of_the_same_version_is_continued() -> None:
    """The parts of a copy are of use when they are of the very version that is to be copied."""
    source = Fingerprint("oss://other/a", SIZE, version="v1")
    checkpoint = replace(CHECKPOINT, source=source)

    assert decide(checkpoint, replace(WANTED, copied_from=source)) == Continue(PartPlan(SIZE, PART), checkpoint)
    for other in (replace(source, version="v2"), replace(source, name="oss://other/b"), replace(source, version=None)):
        decision = decide(checkpoint, replace(WANTED, copied_from=other))
        assert isinstance(decision, Fresh)
        assert decision.abandoned is checkpoint
        assert "copied from another object, or from another version" in decision.reason


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (replace(WANTED, ref=ObjectRef("exports", "b")), "it is of oss://exports/a"),
        (replace(WANTED, ref=ObjectRef("other", "a")), "it is of oss://exports/a"),
        (replace(WANTED, options_digest="e" * 16), "mime, meta, headers, storage_class or tags changed"),
        (replace(WANTED, part_size_bytes=2 * PART), "part size changed from 1048576"),
        (replace(WANTED, part_size_bytes=None), "part size changed from 1048576"),
        (replace(WANTED, size_bytes=PART), "shrank to one part"),
        (replace(WANTED, size_bytes=0), "shrank to one part"),
    ],
)
def test_another_wish_gives_the_old_upload_up(wanted: UploadGoal, reason: str) -> None:
    """What OSS cannot change in an upload that has begun means a new one, and the old one is to be aborted."""
    decision = decide(CHECKPOINT, wanted)

    assert isinstance(decision, Fresh)
    assert decision.abandoned is CHECKPOINT
    assert reason in decision.reason
    assert decision.plan.size_bytes == wanted.size_bytes
    assert decision.plan.part_size_bytes == wanted.part_size_bytes or wanted.part_size_bytes is None


def test_an_intent_is_not_continued() -> None:
    """A checkpoint without an upload id names nothing to continue: it is given up, with what it was about to begin."""
    intent = replace(CHECKPOINT, upload_id="", done_parts="")

    decision = decide(intent, WANTED)

    assert decision == Fresh(
        PartPlan(SIZE, PART), "the last attempt ended before it knew its upload id", abandoned=intent
    )


def automatic(size_bytes: int, part_size_bytes: int) -> Checkpoint:
    return replace(CHECKPOINT, part_size_bytes=part_size_bytes, source=Fingerprint("file", size_bytes))


def test_a_grown_source_keeps_its_automatic_part_size() -> None:
    """Without a wish the part size that was chosen at the beginning stays, though a new upload would get another."""
    checkpoint = automatic(20 * limits.MIB, DEFAULT_PART_SIZE_BYTES)
    size_bytes = 10_000 * DEFAULT_PART_SIZE_BYTES

    decision = decide(checkpoint, replace(WANTED, size_bytes=size_bytes, part_size_bytes=None))

    assert decision == Continue(PartPlan(size_bytes, DEFAULT_PART_SIZE_BYTES), checkpoint)


def test_a_source_that_outgrew_its_part_size_begins_anew() -> None:
    """Past 10,000 parts of the size chosen at the beginning only a new upload with larger parts helps."""
    size_bytes = 10_000 * DEFAULT_PART_SIZE_BYTES + 1
    wanted = replace(WANTED, size_bytes=size_bytes, part_size_bytes=None)

    decision = decide(automatic(20 * limits.MIB, DEFAULT_PART_SIZE_BYTES), wanted)

    assert isinstance(decision, Fresh)
    assert "grew past 10000 parts" in decision.reason
    assert decision.plan.part_size_bytes > DEFAULT_PART_SIZE_BYTES


STREAMED = replace(CHECKPOINT, source=Fingerprint("stream", None), schedule=GROWING_PARTS)
A_STREAM = replace(WANTED, size_bytes=None)


def test_a_stream_is_continued() -> None:
    """A stream of more than one part goes on with the parts that its upload was begun with."""
    assert decide(None, A_STREAM) == Fresh(GrowingPlan(PART), "no checkpoint")
    assert decide(STREAMED, A_STREAM) == Continue(GrowingPlan(PART), STREAMED)
    usual = replace(STREAMED, part_size_bytes=DEFAULT_PART_SIZE_BYTES)
    assert decide(usual, replace(A_STREAM, part_size_bytes=None)) == Continue(
        GrowingPlan(DEFAULT_PART_SIZE_BYTES), usual
    )


@pytest.mark.parametrize(
    ("checkpoint", "wanted", "reason"),
    [
        (STREAMED, replace(A_STREAM, part_size_bytes=2 * PART), "part size changed from 1048576"),
        (STREAMED, replace(A_STREAM, size_bytes=10), "shrank to one part"),
        (STREAMED, WANTED, "cut by another rule (growing-1)"),
        (CHECKPOINT, A_STREAM, "cut by another rule (constant)"),
        (replace(STREAMED, schedule="growing-2"), A_STREAM, "cut by another rule (growing-2)"),
    ],
)
def test_a_stream_begins_anew(checkpoint: Checkpoint, wanted: UploadGoal, reason: str) -> None:
    """An upload whose parts were cut otherwise, or are not needed any more, is given up."""
    decision = decide(checkpoint, wanted)
    assert isinstance(decision, Fresh)
    assert decision.abandoned is checkpoint
    assert reason in decision.reason


def test_what_cannot_be_planned_is_an_error() -> None:
    """A part size that OSS forbids is refused, checkpoint or not."""
    for checkpoint in (None, CHECKPOINT):
        with pytest.raises(OSSInvalidArgument, match="part_size=1 "):
            decide(checkpoint, replace(WANTED, part_size_bytes=1))


def wishes(checkpoint: Checkpoint) -> st.SearchStrategy[UploadGoal]:
    """Wishes of which many fit the checkpoint in some respects, and some in all."""
    return st.builds(
        UploadGoal,
        st.sampled_from((checkpoint.ref, REF)),
        sizes | st.integers(0, 20_000).map(lambda parts: parts * checkpoint.part_size_bytes),
        st.sampled_from((checkpoint.part_size_bytes, None)) | part_sizes,
        st.sampled_from((checkpoint.options_digest, "0" * 16)),
    )


@given(case=checkpoints.flatmap(lambda checkpoint: st.tuples(st.just(checkpoint), wishes(checkpoint))))
def test_every_checkpoint_leads_to_a_plan_that_oss_allows(case: tuple[Checkpoint, UploadGoal]) -> None:
    """Whatever a checkpoint says, the decision is about this source and within OSS's limits; no upload is forgotten."""
    checkpoint, wanted = case
    try:
        without = decide(None, wanted)
    except OSSInvalidArgument:
        with pytest.raises(OSSInvalidArgument):
            decide(checkpoint, wanted)
        return
    decision = decide(checkpoint, wanted)

    assert decision.plan.size_bytes == wanted.size_bytes
    assert decision.plan.count <= limits.MAX_PARTS
    assert (decision.checkpoint if isinstance(decision, Continue) else decision.abandoned) is checkpoint
    if isinstance(decision, Fresh):
        assert decision.plan == without.plan
    else:
        assert decision.plan.count > 1
        assert decision.checkpoint.upload_id
