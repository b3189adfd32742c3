"""One bit flips, anywhere: in the answers that are read, and in the bodies that are sent."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from airflow_provider_oss.emulator import Fault
from tests.chaos.cells import leave_two_parts
from tests.chaos.edges import named_upload
from tests.chaos.scenario import Measured, Scenario, Scene
from tests.chaos.tasks import attempt
from tests.chaos.world import World, demand

_LONGEST_BYTES: Final = 700
_OPERATIONS: Final = ("InitiateMultipartUpload", "ListParts", "CompleteMultipartUpload")


def scenarios(step: int = 1) -> Iterator[Scenario]:
    """Yield every ``step``-th byte of each answer and each Complete; the whole sweep is one scenario."""
    for operation in _OPERATIONS:
        yield Scenario(f"flips:answer:{operation}", partial(_sweep, operation, "corrupt_response_byte", step))
    yield Scenario("flips:sent:CompleteMultipartUpload", partial(_sweep, _OPERATIONS[2], "corrupt_request_byte", step))


def _sweep(operation: str, where: str, step: int, scene: Scene) -> Measured:
    world = scene.common_world()
    offsets = range(scene.random.randrange(step), _LONGEST_BYTES, step)
    for offset in offsets:
        _flip(world, scene, operation, {where: offset})
    return Measured(faults=len(offsets))


def _flip(world: World, scene: Scene, operation: str, flip: dict[str, Any]) -> None:
    job = scene.job(key=f"{scene.name}-{flip}.bin")
    if operation == "ListParts":
        leave_two_parts(world, job)
    world.server.faults.add(Fault(operation=operation, times=1, **flip))
    ended = attempt(job)
    world.server.faults.clear()
    if ended.error is not None:
        demand(not ended.permanent, f"a flipped bit is not for good, but {flip}: {ended}")
        ended = attempt(job)
    demand(ended.error is None, f"the next attempt succeeds, but {flip}: {ended}")
    left = world.leftovers(job.key)
    demand(left.content == job.path.read_bytes(), f"the object is equal to the source: {flip}")
    demand(not left.uploads, f"no upload is left: {flip}, {sorted(left.uploads)}")
    demand(named_upload(job.state.content) is None, f"no checkpoint is left: {flip}")
