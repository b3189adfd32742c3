"""Airflow's metadata database where it is PostgreSQL: the same questions, and the same rows."""

from __future__ import annotations

import re
from contextlib import closing
from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row
from psycopg.types.json import set_json_loads

from tests.support.airflow_database import MetadataDatabase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.airflow_database import Row
    from tests.support.postgres import PostgresServer


class PostgresMetadata(MetadataDatabase):
    """Reads one Airflow PostgreSQL database, with a new connection for each question."""

    __slots__ = ("_server",)

    def __init__(self, server: PostgresServer) -> None:
        super().__init__(server.folder)
        object.__setattr__(self, "_server", server)

    def _select(self, query: str, parameters: tuple[Any, ...] | dict[str, Any] = ()) -> Sequence[Row]:
        with closing(self._server.connect()) as connection:
            set_json_loads(bytes.decode, connection)  # as text, which SQLite has too
            with connection.cursor(row_factory=dict_row) as cursor:
                cursor.execute(as_postgres(query).encode(), parameters or None)
                return cursor.fetchall()


def as_postgres(query: str) -> str:
    """Return a statement whose parameters are ``?`` or ``:name`` as psycopg takes it."""
    return re.sub(r":(\w+)", r"%(\1)s", query).replace("?", "%s")
