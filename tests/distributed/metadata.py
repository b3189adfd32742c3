"""Airflow's metadata database where it is PostgreSQL: the same questions, and the same rows."""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row
from psycopg.types.json import set_json_loads

from tests.support.airflow_database import MetadataDatabase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.airflow_database import Row
    from tests.support.postgres import PostgresServer


@dataclass(frozen=True, slots=True)
class PostgresMetadata(MetadataDatabase):
    """Reads one Airflow PostgreSQL database, with a new connection for each question."""

    server: PostgresServer

    def _select(self, query: str, parameters: tuple[Any, ...] | dict[str, Any] = ()) -> Sequence[Row]:
        with closing(self.server.connect()) as connection:
            set_json_loads(_as_stored, connection)
            with connection.cursor(row_factory=dict_row) as cursor:
                cursor.execute(as_postgres(query).encode(), parameters or None)
                rows: Sequence[Row] = cursor.fetchall()
        return rows


def _as_stored(value: str | bytes) -> str:
    """Leave JSON a text: SQLite has nothing else."""
    return value.decode() if isinstance(value, bytes) else value


def as_postgres(query: str) -> str:
    """Return a statement whose parameters are ``?`` or ``:name`` as psycopg takes it."""
    return re.sub(r":(\w+)", r"%(\1)s", query).replace("?", "%s")
