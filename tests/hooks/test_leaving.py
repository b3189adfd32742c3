"""A hook that is left in the middle, by each of Airflow's ways: the caller at once, all else within five seconds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss.emulator import Fault, OSSEmulator
from airflow_provider_oss.hooks.oss import OSSHook
from tests.conftest import connection_json
from tests.hooks import leaving_work
from tests.hooks.leaving_work import write_files
from tests.support.leaving import ALL_SECONDS, CALLER_SECONDS, WAYS, Leaver, Left, Way, Work
from tests.support.stalling_server import StallingServer
from tests.support.waiting import wait_until

every_way = pytest.mark.parametrize("way", WAYS)


def environment(connection: str) -> dict[str, str]:
    return {"AIRFLOW_CONN_OSS_DEFAULT": connection}


def assert_left_at_once(left: Left) -> None:
    assert left.error != "nothing"
    assert left.seconds < CALLER_SECONDS
    assert left.threads == ()


def leave_when(server: OSSEmulator, work: Work, way: Way, is_time: Callable[[], bool]) -> Left:
    """Leave the work as soon as the server has been asked for what is waited for."""
    with Leaver(work, way) as leaver:
        wait_until(lambda: is_time() or None, 20, "requests", lambda: str(server.requests))
        return leaver.leave()


@every_way
@pytest.mark.parametrize("make", [leaving_work.many_files, leaving_work.a_directory], ids=lambda make: make.__name__)
def test_many_files_in_flight(tmp_path: Path, make: Any, way: Way) -> None:
    """Puts of 8 MiB that several threads are in the middle of are given up."""
    tree = write_files(tmp_path)
    with StallingServer("deaf") as server:
        connection = {"conn_type": "aliyun_oss", "login": "id", "password": "secret", "host": server.endpoint,
                      "schema": "exports", "extra": {"region": "cn-hangzhou", "addressing_style": "path"}}  # fmt: skip
        with Leaver(Work(make, (tree,), environment(json.dumps(connection))), way) as leaver:
            server.wait_until_asked(connections=5)
            assert_left_at_once(leaver.leave())
            server.wait_until_left(ALL_SECONDS)


@every_way
def test_parts_that_nobody_can_continue(server: OSSEmulator, hook: OSSHook, tmp_path: Path, way: Way) -> None:
    """Without a store the upload is aborted, although a stop was requested."""
    server.faults.add(Fault(operation="UploadPart", skip=2, stall=True))
    work = Work(leaving_work.parts_without_a_store, (write_files(tmp_path),), environment(connection_json(server)))
    left = leave_when(server, work, way, lambda: len(parts_asked(server)) >= 2)
    assert_left_at_once(left)
    wait_until(lambda: not list(hook.list_multipart_uploads()) or None, ALL_SECONDS, "the abort", lambda: "an upload")


def parts_asked(server: OSSEmulator) -> list[Any]:
    return [request for request in server.requests if request.operation == "UploadPart"]


@every_way
@pytest.mark.parametrize("of_parts", [0, 1, 4])
def test_a_stream_that_stalls(server: OSSEmulator, hook: OSSHook, of_parts: int, way: Way) -> None:
    """What the main thread waits for in the user's own code ends too, and nothing is stored or left."""
    work = Work(leaving_work.a_stream_that_stalls, (of_parts,), environment(connection_json(server)))
    left = leave_when(server, work, way, lambda: any(request.key == "waits" for request in server.requests))
    assert_left_at_once(left)
    wait_until(lambda: not list(hook.list_multipart_uploads()) or None, ALL_SECONDS, "the abort", lambda: "an upload")
    assert not hook.object_exists("key")


@every_way
def test_a_pause_between_two_tries(server: OSSEmulator, way: Way) -> None:
    """A pause ends like any other wait."""
    server.faults.add(Fault(key="busy", status=503))
    work = Work(leaving_work.a_pause, (5,), environment(connection_json(server)))
    assert_left_at_once(leave_when(server, work, way, lambda: bool(server.requests)))
