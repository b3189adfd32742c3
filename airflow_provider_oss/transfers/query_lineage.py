"""
The tables that a query reads, for Airflow's OpenLineage provider, which is imported here only when it asks.

The query is parsed. The database is asked for at most the name of the default schema (as some hooks do).
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

log = logging.getLogger(__name__)


def query_lineage(conn_id: str, sql: str) -> OperatorLineage[Any, Any]:
    """Return the query, and the tables it reads where the connection's hook tells how OpenLineage names them."""
    from airflow.providers.common.compat.openlineage.facet import SQLJobFacet
    from airflow.providers.openlineage.extractors import OperatorLineage

    try:
        parsed = _parsed(conn_id, sql)
    except Exception as error:  # noqa: BLE001 - whatever a database's hook raises: what was stored is told all the same
        log.warning("The tables that sql reads are not told to OpenLineage: %s: %s", type(error).__name__, error)
        parsed = None
    return parsed or OperatorLineage(job_facets={"sql": SQLJobFacet(query=sql)})


def _parsed(conn_id: str, sql: str) -> OperatorLineage[Any, Any] | None:
    from airflow.providers.common.compat.sdk import BaseHook
    from airflow.providers.openlineage.sqlparser import SQLParser

    hook: Any = BaseHook.get_hook(conn_id)
    connection = hook.get_connection(conn_id)
    database = hook.get_openlineage_database_info(connection)
    if database is None:
        return None
    parser = SQLParser(
        dialect=hook.get_openlineage_database_dialect(connection),
        default_schema=hook.get_openlineage_default_schema(),
    )
    return parser.generate_openlineage_metadata_from_sql(
        sql=sql, hook=hook, database_info=database, use_connection=False
    )
