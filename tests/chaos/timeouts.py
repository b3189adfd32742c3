"""Timeouts as users meet them: apart for connecting and standing still, and named in the error with what to change."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Final

from airflow_provider_oss.emulator import Fault
from airflow_provider_oss.exceptions import OSSConnectionTimeout
from tests.chaos.client import Interference
from tests.chaos.scenario import Measured, Scenario, Scene, check_clean_end, check_nothing_is_forgotten
from tests.chaos.tasks import attempt
from tests.chaos.world import PART_BYTES, connection_json, demand

_SLOW_BYTES_PER_SECOND: Final = 12_000_000.0
_SLOW_PART_BYTES: Final = 36_000_000
_PATIENT_SECONDS: Final = 1.5
"""Less than a part takes; more than the kernel's buffers of a connection take to drain."""


def scenarios() -> Iterator[Scenario]:
    """Yield them all."""
    yield Scenario("timeouts:connecting", _connecting)
    yield Scenario("timeouts:slow-but-alive", _slow_but_alive)
    yield Scenario("timeouts:stalled", _stalled)
    yield Scenario("timeouts:narrow-link", _narrow_link)
    for parallel in (1, 2, 4, 7):
        yield Scenario(f"timeouts:lowered:{parallel}", partial(_lowered, parallel))


def _connecting(scene: Scene) -> Measured:
    """Nobody answers the knock: the error says so and names connect_timeout."""
    with _deaf_listener() as port, scene.own_world() as world:
        world.connect_to(connection_json(f"http://127.0.0.1:{port}", connect_timeout=0.2, read_timeout=30))
        ended = attempt(scene.job())
    demand(type(ended.error) is OSSConnectionTimeout, f"connecting takes too long, but: {ended}")
    demand("connect_timeout" in str(ended.error) and "5 tries" in str(ended.error), f"it says what to do: {ended}")
    return Measured(faults=1)


@contextmanager
def _deaf_listener() -> Iterator[int]:
    """Listen on a port whose queue is full: the kernel drops whoever knocks."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def _slow_but_alive(scene: Scene) -> Measured:
    """A part that takes longer than read_timeout, always moving, is no timeout."""
    world = scene.common_world()
    world.connect(read_timeout=_PATIENT_SECONDS)
    world.server.faults.add(Fault(operation="PutObject", rate_bytes_per_second=_SLOW_BYTES_PER_SECOND))
    job = scene.job(_SLOW_PART_BYTES, kind="bytes")
    ended = attempt(job)
    demand(ended.error is None, f"slow is not stalled, but: {ended}")
    demand(ended.result and ended.result["elapsed_seconds"] > _PATIENT_SECONDS, "it took longer than the timeout")
    puts = [record for record in world.records if record.key == job.key and record.operation == "PutObject"]
    demand(len(puts) == 1, "and was not repeated")
    return check_clean_end(world, job)


def _stalled(scene: Scene) -> Measured:
    """A stall is noticed after read_timeout, not after connect_timeout or later."""
    world = scene.common_world()
    world.connect(read_timeout=1.5, connect_timeout=30)
    world.server.faults.add(Fault(operation="UploadPart", part_number=2, times=1, stall=True))
    job = scene.job()
    ended = attempt(job)
    demand(ended.error is None, f"one stall is repeated, but: {ended}")
    (stalled,) = [record for record in world.records if record.operation == "UploadPart" and record.status is None]
    demand(1.0 < stalled.ended_at - stalled.started_at < 10, "the stall is given up after read_timeout")
    return check_clean_end(world, job) + Measured(faults=1)


def _lowered(parallel: int, scene: Scene) -> Measured:
    """When all stalls, fewer and fewer parts are in flight, and the error tells it all; the next attempt continues."""
    world = scene.common_world()
    world.connect(read_timeout=0.2)
    world.server.faults.add(Fault(operation="UploadPart", stall=True))
    job = scene.job(7 * PART_BYTES, parallel=parallel)
    ended = attempt(job)
    text = str(ended.error)
    demand(type(ended.error) is OSSConnectionTimeout and "read_timeout" in text, f"a timeout, and its setting: {ended}")
    demand("5 tries" in text, f"it says how often it tried: {text}")
    lowered = f"parallel lowered from {parallel} to 1" in text
    demand(lowered == (parallel > 1), f"it says that parallel was lowered, if it was: {text}")
    check_nothing_is_forgotten(world, job)
    world.server.faults.clear()
    world.connect()
    demand(attempt(job).error is None, "the next attempt succeeds")
    return check_clean_end(world, job) + Measured(faults=1)


def _narrow_link(scene: Scene) -> Measured:
    """A link that carries one part at a time: the attempt finds out and succeeds."""
    link = _NarrowLink()
    world, job = scene.common_world(), scene.job(7 * PART_BYTES, parallel=4)
    ended = attempt(job, Interference(link.before, link.after))
    demand(ended.error is None, f"one part at a time goes through, but: {ended}")
    demand(link.refused, "more were tried at first")
    return check_clean_end(world, job) + Measured(faults=link.refused)


class _NarrowLink:
    """Lets a part time out when another one is on its way."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._on_its_way = 0
        self.refused = 0

    def before(self, operation: str) -> None:
        if operation == "UploadPart":
            with self._lock:
                self._on_its_way += 1
                crowded = self._on_its_way > 1
                self.refused += crowded
            if crowded:
                with self._lock:
                    self._on_its_way -= 1
                raise OSSConnectionTimeout("nothing moved")

    def after(self, operation: str) -> None:
        if operation == "UploadPart":
            with self._lock:
                self._on_its_way -= 1
