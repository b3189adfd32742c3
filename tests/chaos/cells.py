"""Plays the cells of the outcome table: each for real, and compared with what the table states."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from airflow_provider_oss.emulator import Fault
from tests.chaos import outcomes
from tests.chaos.edges import named_upload
from tests.chaos.outcomes import Call, Outcome, Row, Verdict
from tests.chaos.scenario import Measured, Scenario, Scene, check_nothing_is_forgotten
from tests.chaos.tasks import Attempt, Job, Kind, attempt
from tests.chaos.troubles import NEEDS_OWN_SERVER, Trouble
from tests.chaos.world import PART_BYTES, World, bytes_sent_again, demand

_ONE_PART_BYTES: Final = 60_000
_KINDS: Final[dict[str, Kind]] = {
    outcomes.PUT_BYTES.name: "bytes",
    outcomes.PUT_FILE.name: "file",
    outcomes.PUT_CALLABLE.name: "callable",
    outcomes.PUT_ONE_SHOT.name: "one-shot",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell in one column."""

    row: Row
    always: bool

    @property
    def outcome(self) -> Outcome:
        """What the table states."""
        return self.row.always if self.always else self.row.once

    @property
    def name(self) -> str:
        """The scenario's."""
        call = self.row.call.name.replace(" ", "-")
        return f"cell:{call}:{self.row.fault}:{'always' if self.always else 'once'}"


def cells() -> Iterator[Cell]:
    """Yield every cell that can be."""
    for row in outcomes.rows():
        for cell in (Cell(row, always=False), Cell(row, always=True)):
            if cell.outcome.verdict is not Verdict.NEVER:
                yield cell


def scenarios() -> Iterator[Scenario]:
    """Yield a scenario for every cell; of an upload in parts one with a file and one with a stream."""
    for cell in cells():
        yield Scenario(cell.name, partial(_play, cell, "resumable"))
        if cell.row.call not in outcomes.PUTS:
            yield Scenario(f"stream-{cell.name}", partial(_play, cell, "stream"))


def _play(cell: Cell, kind: Kind, scene: Scene) -> Measured:
    call = cell.row.call
    own = cell.row.fault in NEEDS_OWN_SERVER
    with scene.own_world() if own else nullcontext(scene.common_world()) as world:
        job = _job(call, kind, scene)
        return _meet(cell, world, _arrange(call, world, job))


def _job(call: Call, kind: Kind, scene: Scene) -> Job:
    if call in outcomes.PUTS:
        return scene.job(_ONE_PART_BYTES, kind=_KINDS.get(call.name, kind))
    return scene.job(kind=kind)


def _arrange(call: Call, world: World, job: Job) -> Job:
    """Bring the job to where the call is made in the next attempt."""
    if call is outcomes.HEAD:
        world.server.faults.add(Fault(operation="CompleteMultipartUpload", times=1, reset="after"))
    if call is outcomes.LIST_UPLOADS:
        world.server.faults.add(Fault(operation="InitiateMultipartUpload", times=1, reset="after"))
    if call in (outcomes.LIST_PARTS, outcomes.ABORT):
        leave_two_parts(world, job)
    return replace(job, options={"meta": {"changed": "yes"}}) if call is outcomes.ABORT else job


def leave_two_parts(world: World, job: Job) -> None:
    """Make an attempt that is stopped when two parts are stored."""
    world.server.faults.add(Fault(operation="UploadPart", skip=2, status=403, code="AccessDenied"))
    stopped = attempt(replace(job, parallel=1))
    demand(stopped.permanent, f"an attempt without permission to send stops, but: {stopped}")
    world.server.faults.clear()


def _meet(cell: Cell, world: World, job: Job) -> Measured:
    interference = Trouble(cell.row.fault, cell.row.call.operation, cell.always).begin(world, job)
    first = attempt(job, interference)
    world.open()
    world.server.faults.clear()
    _compare(first, cell.outcome)
    acknowledged = list(first.acknowledged)
    if cell.outcome.verdict is not Verdict.REPEATED:
        check_nothing_is_forgotten(world, job)
        world.mend()
        second = attempt(job)
        demand(second.error is None, f"the next attempt succeeds, but: {second}")
        acknowledged += second.acknowledged
    return _check_end(cell, world, job, acknowledged)


def _compare(seen: Attempt, outcome: Outcome) -> None:
    if outcome.verdict is Verdict.REPEATED:
        demand(seen.error is None, f"the fault is invisible, but: {seen}")
        return
    demand(type(seen.error).__name__ == outcome.error, f"the attempt ends with {outcome.error}, but: {seen}")
    permanent = outcome.verdict is Verdict.FAILS
    demand(seen.permanent == permanent, f"Airflow {'does not retry' if permanent else 'retries'}, but: {seen}")


def _check_end(cell: Cell, world: World, job: Job, acknowledged: list[tuple[str, int]]) -> Measured:
    """Like check_clean_end, with the exceptions that the table states."""
    left = world.leftovers(job.key)
    demand(left.content == job.path.read_bytes(), "the object is equal to the source")
    demand(named_upload(job.state.content) is None, f"no checkpoint is left: {job.state.content}")
    stated = int(cell.outcome.leaves_upload)
    demand(len(left.uploads) == stated, f"no upload is left but those stated: {sorted(left.uploads)}")
    # With a short timeout on a busy machine the server's acknowledgement may come too late: it cannot know
    again = _again(acknowledged) if cell.row.fault == "stall" else bytes_sent_again(world.records, job.key)
    again = 0 if cell.outcome.sends_again else again
    demand(not again, f"{again} bytes were sent again although OSS had acknowledged them")
    return Measured(faults=1, bytes_sent_again=again, orphans=len(left.uploads) - stated)


def _again(acknowledged: list[tuple[str, int]]) -> int:
    """Return the bytes, at most, of parts whose acknowledgement arrived more than once."""
    return (len(acknowledged) - len(set(acknowledged))) * PART_BYTES
