"""Death at random times: of the task by SIGKILL, SIGTERM and execution_timeout, and of the server."""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Final

import oss2

from airflow_provider_oss.emulator import Fault
from tests.chaos.child import Child, End, Orders, run_child
from tests.chaos.deaths import KINDS, STORES
from tests.chaos.edges import named_upload
from tests.chaos.scenario import Measured, Scenario, Scene, check_clean_end, check_nothing_is_forgotten
from tests.chaos.tasks import Job
from tests.chaos.world import BUCKET, KEY_ID, KEY_SECRET, PART_BYTES, World, connection_json, demand
from tests.support.server_process import server_process

_SIZE_BYTES: Final = 7 * PART_BYTES + 1
_BYTES_PER_SECOND: Final = 2_000_000.0
"""Slow enough that an attempt takes some tenths of a second."""
_LONGEST_SECONDS: Final = 0.5
_KILLS_IN_A_ROW: Final = 3
_GRACE_SECONDS: Final = 20.0
"""Airflow sends SIGKILL after ``killed_task_cleanup_time``, 60 seconds by default."""


def scenarios(rounds: int) -> Iterator[Scenario]:
    """Yield ``rounds`` scenarios of each kind and store, and a tenth as many deaths of the server."""
    for number in range(rounds):
        for store in STORES:
            yield Scenario(f"sigkill:{store}:{number}", partial(_kill_at_random, store))
        store = STORES[number % len(STORES)]
        yield Scenario(f"sigterm:{store}:{number}", partial(_stop_at_random, store))
        yield Scenario(f"timeout:{store}:{number}", partial(_time_out_at_random, store))
        if number % 10 == 0:
            yield Scenario(f"server-killed:{store}:{number}", partial(_kill_server, store))


def _slow_job(scene: Scene, store: str) -> tuple[World, Orders[Job]]:
    world = scene.common_world()
    world.server.faults.add(Fault(operation="UploadPart", rate_bytes_per_second=_BYTES_PER_SECOND))
    kind = scene.random.choice(tuple(KINDS.values()))
    job = scene.job(_SIZE_BYTES, kind=kind, store=store, parallel=scene.random.choice((1, 2, 4)))
    return world, Orders(job, world.connection_json())


def _kill_at_random(store: str, scene: Scene) -> Measured:
    world, orders = _slow_job(scene, store)
    kills = sum(_kill_one(world, orders, scene.random) for _ in range(_KILLS_IN_A_ROW))
    return _finish(world, orders) + Measured(kills=kills)


def _kill_one(world: World, orders: Orders[Job], rng: random.Random) -> bool:
    with Child(orders) as child:
        child.wait(rng.uniform(0.0, _LONGEST_SECONDS))
        child.kill()
        end = child.end()
    demand(end.was_killed or end.succeeded, f"killed, or done before it, but: {end}")
    check_nothing_is_forgotten(world, orders.work)
    return end.was_killed


def _stop_at_random(store: str, scene: Scene) -> Measured:
    world, orders = _slow_job(scene, store)
    with Child(orders) as child:
        child.wait(scene.random.uniform(0.0, _LONGEST_SECONDS))
        child.kill(signal.SIGTERM)
        child.wait(_GRACE_SECONDS)
        demand(not child.is_alive, f"an attempt that is told to stop ends within {_GRACE_SECONDS} s")
        end = child.end()
    demand(end.succeeded or end.error == "OSSUploadCancelled", f"stopped, or done before it, but: {end}")
    check_nothing_is_forgotten(world, orders.work)
    return _finish(world, orders) + Measured(kills=1)


def _time_out_at_random(store: str, scene: Scene) -> Measured:
    world, orders = _slow_job(scene, store)
    end = run_child(replace(orders, execution_timeout_seconds=scene.random.uniform(0.01, _LONGEST_SECONDS)))
    demand(end.succeeded or end.error == "AirflowTaskTimeout", f"timed out, or done before it, but: {end}")
    check_nothing_is_forgotten(world, orders.work)
    return _finish(world, orders) + Measured(kills=1)


def _finish(world: World, orders: Orders[Job]) -> Measured:
    end = run_child(orders)
    demand(end.succeeded, f"the last attempt succeeds, but: {end}")
    return check_clean_end(world, orders.work)


# The server dies


def _kill_server(store: str, scene: Scene) -> Measured:
    """Kill the server three times while attempts go on; what it acknowledged is on its disk."""
    job = scene.job(_SIZE_BYTES, store=store)
    with server_process(scene.folder / "oss") as (_, endpoint):
        port = int(endpoint.rpartition(":")[2])
    orders = Orders(job, connection_json(endpoint))
    for _ in range(_KILLS_IN_A_ROW):
        _let_it_die_under(orders, scene, port)
    with server_process(scene.folder / "oss", port=port):
        end = run_child(orders)
        demand(end.succeeded, f"the last attempt succeeds, but: {end}")
        bucket = oss2.Bucket(oss2.Auth(KEY_ID, KEY_SECRET), endpoint, BUCKET, enable_crc=False)
        demand(bucket.get_object(job.key).read() == job.path.read_bytes(), "the object is equal to the source")
        demand(not list(oss2.MultipartUploadIterator(bucket)), "no upload is left")
    demand(named_upload(job.state.content) is None, "no checkpoint is left")
    return Measured(kills=_KILLS_IN_A_ROW)


def _let_it_die_under(orders: Orders[Job], scene: Scene, port: int) -> End:
    with server_process(scene.folder / "oss", port=port) as (server, _), Child(orders) as child:
        child.wait(scene.random.uniform(0.0, _LONGEST_SECONDS / 2))
        server.kill()
        server.wait()
        end = child.end()
    errors = (None, "OSSConnectionError", "OSSConnectionTimeout")
    demand(end.exit_code == 0 and end.error in errors, f"the server's death is a broken connection, but: {end}")
    return end
