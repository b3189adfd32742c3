"""Which errors of MySQL's drivers and of DuckDB mean a wrong query; test_query.py asks PostgreSQL and SQLite."""

from __future__ import annotations

import pytest

from airflow_provider_oss.transfers.drivers import as_wrong_query


def raised(module: str, name: str, *arguments: object) -> Exception:
    """Return an error as that driver raises it."""
    error: type[Exception] = type(name, (Exception,), {"__module__": module})
    return error(*arguments)


@pytest.mark.parametrize(
    ("module", "number", "is_wrong"),
    [
        *((module, number, True) for module in ("pymysql.err", "MySQLdb._exceptions") for number in (1064, 1142, 1305)),
        *(("mysql.connector.errors", number, True) for number in (1064, 1149, 1582)),
        # Unknown database, too many connections of the user, unknown column, no such table, a lost connection
        *(("pymysql.err", number, False) for number in (1049, 1203, 1226, 1054, 1146, 2013)),
    ],
)
def test_mysql(module: str, number: int, *, is_wrong: bool) -> None:
    """MySQL's number decides, by whichever driver: what may be there at the retry is retried."""
    error = as_wrong_query(raised(module, "ProgrammingError", number, "near 'FORM t'"), has_parameters=False)
    assert (error is not None) == is_wrong
    if error is not None:
        assert f"sql is wrong (ProgrammingError, error {number})" in str(error)
        assert "near 'FORM t'" in str(error)


@pytest.mark.parametrize(("name", "is_wrong"), [("ParserException", True), ("CatalogException", False)])
def test_duckdb(name: str, *, is_wrong: bool) -> None:
    """DuckDB tells errors of its parser by their class."""
    assert (as_wrong_query(raised("_duckdb", name, "..."), has_parameters=False) is not None) == is_wrong


@pytest.mark.parametrize(
    ("state", "is_wrong"),
    [
        *((state, False) for state in ("42P01", "42703", "42S02", "42S22", "42704", "08006", "57014")),
        *((state, True) for state in ("42601", "42501", "42000", "42803")),
    ],
)
@pytest.mark.parametrize("attribute", ["sqlstate", "pgcode"])
def test_sqlstate(attribute: str, state: str, *, is_wrong: bool) -> None:
    """A table, column or type that is not there is retried, however the database spells that; a syntax error is not."""
    error = raised("snowflake.connector.errors", "ProgrammingError", "...")
    setattr(error, attribute, state)
    assert (as_wrong_query(error, has_parameters=False) is not None) == is_wrong


def test_errors_of_no_driver() -> None:
    """An error that says nothing is not the query's."""
    for error in (ValueError("42601"), raised("pymysql.err", "InterfaceError"), raised("oracledb", "Error", 900)):
        assert as_wrong_query(error, has_parameters=False) is None
