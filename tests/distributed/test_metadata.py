"""The questions of the harness to Airflow's database are the same for PostgreSQL."""

from __future__ import annotations

from tests.distributed.metadata import as_postgres


def test_parameters() -> None:
    """Parameters by place and by name are written as psycopg takes them."""
    assert as_postgres("SELECT 1 WHERE a = ? AND b = ?") == "SELECT 1 WHERE a = %s AND b = %s"
    assert (
        as_postgres("SELECT 1 WHERE a = :dag_id AND b = :run_id") == "SELECT 1 WHERE a = %(dag_id)s AND b = %(run_id)s"
    )
