"""A real PostgreSQL and an SQLite file as Airflow connections, and a task instance that runs."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.operators.conftest import context_of, events_of, in_dag, run, supervisor, told
from tests.support.postgres import PostgresServer, running_postgres

__all__ = ["context_of", "events_of", "in_dag", "run", "supervisor", "told"]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One server for all tests of a process: mark them with ``xdist_group("postgres")``."""
    with running_postgres() as server:
        yield server


@pytest.fixture
def postgres(
    postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> PostgresServer:
    """The server, as the Airflow connection ``pg``; with the parameter ``psycopg2`` by that driver, not psycopg 3."""
    monkeypatch.setenv("AIRFLOW_CONN_PG", postgres_server.airflow_connection())
    if getattr(request, "param", "psycopg") == "psycopg2":
        monkeypatch.setattr("airflow.providers.postgres.hooks.postgres.USE_PSYCOPG3", False)
    return postgres_server


@pytest.fixture
def sqlite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Execute statements in an SQLite file, which is the Airflow connection ``lite``."""
    path = tmp_path / "data.sqlite"
    monkeypatch.setenv("AIRFLOW_CONN_LITE", json.dumps({"conn_type": "sqlite", "host": str(path)}))

    def execute(*statements: str) -> None:
        with sqlite3.connect(path) as connection:
            for statement in statements:
                connection.execute(statement)
        connection.close()

    return execute
