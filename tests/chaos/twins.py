"""Two at once: a zombie attempt that goes on while its successor runs, both to the same key."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Final

from airflow_provider_oss.emulator import Fault
from airflow_provider_oss.exceptions import OSSTransientError
from tests.chaos.client import Interference
from tests.chaos.edges import named_upload
from tests.chaos.scenario import Measured, Scenario, Scene, check_clean_end
from tests.chaos.tasks import Attempt, Job, attempt, make_task
from tests.chaos.world import World, demand
from tests.support.airflow_version import let_thread_execute

_COMPLETE: Final = "CompleteMultipartUpload"
_PATIENCE_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Order:
    """Who asks OSS to complete, or hears its answer, only when what has happened; None waits for nothing."""

    zombie_asks: str | None = None
    zombie_hears: str | None = None
    successor_asks: str | None = None
    successor_hears: str | None = None

    def of(self, who: str) -> tuple[str | None, str | None]:
        """Return what this one waits for before it asks and before it hears."""
        if who == "zombie":
            return self.zombie_asks, self.zombie_hears
        return self.successor_asks, self.successor_hears


ORDERS: Final = {
    "zombie-completes-first": Order(successor_asks="zombie answered"),
    "successor-completes-first": Order(zombie_asks="successor answered"),
    "both-at-once": Order(),
    "zombie-completes-after-the-successor-ended": Order(zombie_asks="successor ended"),
    "successor-completes-after-the-zombie-ended": Order(successor_asks="zombie ended"),
    "zombie-hears-after-the-successor-ended": Order(successor_asks="zombie answered", zombie_hears="successor ended"),
    "successor-hears-after-the-zombie-ended": Order(zombie_asks="successor answered", successor_hears="zombie ended"),
}


@dataclass(slots=True)
class _Play:
    """Lets each attempt come to its first Complete, then lets them go in the order."""

    order: Order
    events: dict[str, threading.Event] = field(
        default_factory=lambda: {
            f"{who} {what}": threading.Event()
            for who in ("zombie", "successor")
            for what in ("there", "answered", "ended")
        }
    )

    def wait(self, name: str) -> None:
        demand(self.events[name].wait(_PATIENCE_SECONDS), f"{name}, some time")

    def part_of(self, who: str) -> Interference:
        """Return the interference of one of the two."""
        other = "successor" if who == "zombie" else "zombie"
        asks, hears = self.order.of(who)
        asked, heard = threading.Lock(), threading.Lock()

        def before(operation: str) -> None:
            if operation == _COMPLETE and asked.acquire(blocking=False):
                self.events[f"{who} there"].set()
                self.wait(f"{other} there")
                if asks is not None:
                    self.wait(asks)

        def after(operation: str) -> None:
            if operation == _COMPLETE and heard.acquire(blocking=False):
                self.events[f"{who} answered"].set()
                if hears is not None:
                    self.wait(hears)

        return Interference(before, after)

    def end(self, who: str, _future: object) -> None:
        """Let nobody wait any more for one who has ended."""
        for what in ("there", "answered", "ended"):
            self.events[f"{who} {what}"].set()


def scenarios() -> Iterator[Scenario]:
    """Yield every order, with and without forbid_overwrite, of an equal source, a replaced one, and other metadata."""
    for order, forbid, difference in product(ORDERS, (False, True), ("equal", "source", "options")):
        if difference == "equal" or not forbid:
            name = f"twins:{order}:{difference}{':forbid' if forbid else ''}"
            yield Scenario(name, partial(_play, order, forbid, difference))
    for kind in ("resumable", "one-part", "bytes", "file", "callable"):
        yield Scenario(f"twins:forbid-and-lost-answer:{kind}", partial(_lost_answer, kind))
        yield Scenario(f"twins:forbid-and-another-object:{kind}", partial(_another_object, kind))


def _play(order: str, forbid: bool, difference: str, scene: Scene) -> Measured:  # noqa: FBT001 - named by the scenario
    world = scene.common_world()
    job = scene.job(options={"forbid_overwrite": forbid})
    play = _Play(ORDERS[order])
    zombie = make_task(job)
    with ThreadPoolExecutor(2, initializer=let_thread_execute) as pool:
        first = pool.submit(attempt, job, play.part_of("zombie"), task=zombie)
        first.add_done_callback(partial(play.end, "zombie"))
        play.wait("zombie there")
        if difference == "source":
            _replace(job.path, scene.random.randbytes(job.path.stat().st_size))
        if difference == "options":
            job = replace(job, options={"meta": {"changed": "yes"}})
        second = pool.submit(attempt, job, play.part_of("successor"), task=make_task(job))
        second.add_done_callback(partial(play.end, "successor"))
        return _judge(world, job, first.result(), second.result())


def _judge(world: World, job: Job, zombie: Attempt, successor: Attempt) -> Measured:
    """The successor's word counts; the zombie may succeed as well, or give way."""
    if successor.error is not None:
        demand(
            isinstance(successor.error, OSSTransientError), f"the successor succeeds or is retried, but: {successor}"
        )
        successor = attempt(job)
    demand(successor.error is None, f"the successor succeeds, but: {successor}")
    gives_way = isinstance(zombie.error, OSSTransientError)
    demand(zombie.error is None or gives_way, f"the zombie succeeds or gives way, but: {zombie}")
    left = world.leftovers(job.key)
    demand(left.content == job.path.read_bytes(), "the object is the successor's, and never a mixture")
    demand(not left.uploads, f"no upload is left: {left.uploads}; zombie {zombie}, successor {successor}")
    _check_checkpoint(job, zombie)
    if "meta" in job.options:
        demand(world.bucket().head_object(job.key).headers["x-oss-meta-changed"] == "yes", "the metadata are new")
    return Measured(faults=1)


def _check_checkpoint(job: Job, zombie: Attempt) -> None:
    """
    Demand that no checkpoint is left, or one that is harmless.

    Stores have no "replace if it is still mine": a zombie that fails at the very moment in which its successor deletes
    the checkpoint may save it once more. It names an upload that is gone, and clearing the task sends nothing.
    """
    if named_upload(job.state.content) is None:
        return
    demand(zombie.error is not None, "no checkpoint is left by attempts that succeed")
    cleared = attempt(job)
    demand(cleared.result and not cleared.result["bytes_sent"], f"a stale checkpoint is harmless, but: {cleared}")
    demand(named_upload(job.state.content) is None, "and deleted")


def _replace(path: Path, content: bytes) -> None:
    beside = path.with_suffix(".new")
    beside.write_bytes(content)
    beside.replace(path)


def _forbidding(kind: str, scene: Scene) -> Job:
    size = {} if kind == "resumable" else {"size_bytes": 50_000}
    return scene.job(**size, kind="resumable" if kind == "one-part" else kind, options={"forbid_overwrite": True})


def _lost_answer(kind: str, scene: Scene) -> Measured:
    """What was stored while its answer was lost is ours: success, although another object is forbidden."""
    world, job = scene.common_world(), _forbidding(kind, scene)
    operation = _COMPLETE if kind == "resumable" else "PutObject"
    world.server.faults.add(Fault(operation=operation, times=1, reset="after"))
    ended = attempt(job)
    demand(ended.error is None, f"our own object is success, but: {ended}")
    return check_clean_end(world, job) + Measured(faults=1)


def _another_object(kind: str, scene: Scene) -> Measured:
    """Another object stays as it is, and the upload to it is not left."""
    world, job = scene.common_world(), _forbidding(kind, scene)
    world.bucket().put_object(job.key, b"another")
    ended = attempt(job)
    demand(
        type(ended.error).__name__ == "OSSObjectAlreadyExists" and ended.permanent, f"it is in the way, but: {ended}"
    )
    return check_clean_end(world, job, b"another") + Measured(faults=1)
