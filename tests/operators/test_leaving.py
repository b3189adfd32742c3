"""Leaving: on_kill, timeouts and signals reach every operator and sensor at once, and leave nothing under way."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path

import pytest

from airflow_provider_oss.limits import MIB
from tests.operators.leavable import ARGUMENTS, SENDS_NOTHING, make_execution, make_files
from tests.support.discovery import operators
from tests.support.leaving import ALL_SECONDS, CALLER_SECONDS, WAYS, Leaver, Left, Way, Work
from tests.support.stalling_server import Manner, StallingServer
from tests.support.web_server import WebServer, plain

ASKING = sorted(set(operators()) - SENDS_NOTHING)
RAISED: Mapping[Way, set[str]] = {
    "Airflow 3": {"OSSUploadCancelled"},
    "Airflow 2": {"TerminatedError", "OSSUploadCancelled"},
    "timeout": {"AirflowTaskTimeout"},
}


def test_every_operator_is_tried() -> None:
    """An operator that is new has to say how it is made here."""
    assert set(operators()) == set(ARGUMENTS)


@pytest.fixture
def environment(tmp_path: Path, web: WebServer) -> dict[str, str]:
    """Connections to what the operators read, and the files that they send."""
    make_files(tmp_path)
    web.pages["/data"] = plain(bytes(20 * MIB))
    database = tmp_path / "data.sqlite"
    sqlite3.connect(database).close()
    return {
        "AIRFLOW_CONN_LITE": json.dumps({"conn_type": "sqlite", "host": str(database)}),
        "AIRFLOW_CONN_HTTP_DEFAULT": json.dumps({"conn_type": "http", "host": web.url}),
    }


def oss_connection(server: StallingServer) -> dict[str, str]:
    extra = {"region": "cn-hangzhou", "addressing_style": "path"}
    connection = {
        "conn_type": "aliyun_oss", "login": "id", "password": "secret", "host": server.endpoint, "schema": "exports",
        "extra": extra,
    }  # fmt: skip
    return {"AIRFLOW_CONN_OSS_DEFAULT": json.dumps(connection)}


def leave(work: Work, way: Way, server: StallingServer, connections: int = 1) -> Left:
    """Begin the work, wait until the server is asked, and leave it; all of it is gone then."""
    with Leaver(work, way) as leaver:
        server.wait_until_asked(connections)
        left = leaver.leave()
        server.wait_until_left(ALL_SECONDS)
    return left


def assert_left_at_once(left: Left, way: Way) -> None:
    assert left.error in RAISED[way]
    assert left.seconds < CALLER_SECONDS
    assert left.threads == ()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ASKING)
def test_a_server_that_never_answers(tmp_path: Path, environment: dict[str, str], name: str, way: Way) -> None:
    """The operator is left within a second; within five no thread and no connection is left."""
    with StallingServer("silent") as server:
        work = Work(make_execution, (name, tmp_path), environment | oss_connection(server))
        assert_left_at_once(leave(work, way, server), way)


@pytest.mark.parametrize("manner", ["deaf", "trickling"])
@pytest.mark.parametrize("name", ASKING)
def test_a_server_that_stalls_otherwise(tmp_path: Path, environment: dict[str, str], name: str, manner: Manner) -> None:
    """So it is when the server does not read, or answers a byte at a time."""
    with StallingServer(manner) as server:
        work = Work(make_execution, (name, tmp_path), environment | oss_connection(server))
        assert_left_at_once(leave(work, "Airflow 3", server), "Airflow 3")
