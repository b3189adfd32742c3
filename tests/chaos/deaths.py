"""Death at every step: each moment before and after a call of client or store is once the last of a process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Final

from airflow_provider_oss.emulator import Fault
from tests.chaos.cells import leave_two_parts
from tests.chaos.child import Child, Orders, run_child
from tests.chaos.edges import airflow_edges
from tests.chaos.scenario import Measured, Scenario, Scene, check_clean_end, check_nothing_is_forgotten
from tests.chaos.tasks import Job, Kind
from tests.chaos.world import World, demand

KINDS: Final[dict[str, Kind]] = {"death": "resumable", "death-of-stream": "stream"}
STORES: Final = ("task_state", "variable", "xcom")
_SLOW_BYTES_PER_SECOND: Final = 100_000.0


def _plain(_world: World, job: Job) -> Job:
    return job


def _to_be_continued(world: World, job: Job) -> Job:
    with airflow_edges(job.state):
        leave_two_parts(world, job)
    return job


def _to_be_abandoned(world: World, job: Job) -> Job:
    return replace(_to_be_continued(world, job), options={"meta": {"changed": "yes"}})


def _complete_unanswered(world: World, job: Job) -> Job:
    world.server.faults.add(Fault(operation="CompleteMultipartUpload", times=1, reset="after"))
    return job


def _initiate_unanswered(world: World, job: Job) -> Job:
    world.server.faults.add(Fault(operation="InitiateMultipartUpload", times=1, reset="after"))
    return job


def _object_in_the_way(world: World, job: Job) -> Job:
    """Leave an upload that meets an equal object which somebody else put there."""
    job = _to_be_continued(world, replace(job, options={"forbid_overwrite": True}))
    world.bucket().put_object(job.key, job.path.read_bytes())
    return job


def _aborted_meanwhile(world: World, job: Job) -> Job:
    job = _to_be_continued(world, job)
    world.abort_all(job.key)
    return job


PLOTS: Final[dict[str, Callable[[World, Job], Job]]] = {
    "plain": _plain,
    "to-be-continued": _to_be_continued,
    "to-be-abandoned": _to_be_abandoned,
    "complete-unanswered": _complete_unanswered,
    "initiate-unanswered": _initiate_unanswered,
    "object-in-the-way": _object_in_the_way,
    "aborted-meanwhile": _aborted_meanwhile,
}


def scenarios(stores: tuple[str, ...] = STORES) -> Iterator[Scenario]:
    """Yield a scenario for each store and plot; every one enumerates its steps by itself."""
    for group, kind in KINDS.items():
        for store in stores:
            for plot in PLOTS:
                yield Scenario(f"{group}:{store}:{plot}", partial(_die_at_every_step, kind, store, plot))
            yield Scenario(f"{group}:{store}:in-mid-body", partial(_die_in_mid_body, kind, store))


def _die_at_every_step(kind: Kind, store: str, plot: str, scene: Scene) -> Measured:
    total, step, died = Measured(), 0, True
    while died:
        step += 1
        died, measured = _die_at(step, kind, store, plot, scene)
        total += measured
    demand(step > 5, f"an upload has more steps than {step}")
    return total


def _die_at(step: int, kind: Kind, store: str, plot: str, scene: Scene) -> tuple[bool, Measured]:
    world = scene.common_world()
    job = PLOTS[plot](world, scene.job(kind=kind, store=store, key=f"{scene.name}/{step}.bin"))
    orders = Orders(job, world.connection_json(), die_at_step=step)
    first = run_child(orders)
    demand(first.was_killed or first.succeeded, f"killed at step {step}, or done before it, but: {first}")
    if first.was_killed:
        check_nothing_is_forgotten(world, job)
        second = run_child(replace(orders, die_at_step=None))
        demand(second.succeeded, f"after death at step {step} the next attempt succeeds, but: {second}")
    return first.was_killed, check_clean_end(world, job) + Measured(kills=int(first.was_killed))


def _die_in_mid_body(kind: Kind, store: str, scene: Scene) -> Measured:
    world = scene.common_world()
    job = scene.job(kind=kind, store=store)
    world.server.faults.add(
        Fault(operation="UploadPart", part_number=3, times=1, rate_bytes_per_second=_SLOW_BYTES_PER_SECOND)
    )
    orders = Orders(job, world.connection_json())
    with Child(orders) as child:
        world.server.faults.wait_for_hits()
        child.kill()
        demand(child.end().was_killed, "a process in mid-body is killed")
    # What the dead process has sent arrives all the same: only what OSS has before the next attempt asks is known to it
    world.server.wait_for_requests(lambda request: (request.key, request.part_number) == (job.key, 3), 60.0)
    check_nothing_is_forgotten(world, job)
    second = run_child(orders)
    demand(second.succeeded, f"the next attempt succeeds, but: {second}")
    return check_clean_end(world, job) + Measured(kills=1)
