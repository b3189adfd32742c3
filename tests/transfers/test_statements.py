"""How many statements a text holds: by the rules of four databases, and for one that is not known."""

from __future__ import annotations

import re
import sqlite3

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.transfers.drivers import (
    MYSQL,
    ORACLE,
    POSTGRES,
    POSTGRES_WITH_ESCAPES,
    READINGS,
    SQLITE,
    Reading,
    check_one_statement,
)


def is_one(sql: str, *readings: Reading) -> bool:
    """Return whether the text, in which WRITES is what would write, is taken for one statement."""
    try:
        check_one_statement(sql.replace("WRITES", "COMMIT; INSERT INTO t VALUES (2)"), *readings)
    except OSSInvalidArgument as error:
        assert "statements, and none was executed: give one query" in str(error)  # noqa: PT017 - its text is the remedy
        return False
    return True


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        "SELECT 1;",
        "SELECT 1 ; ;\n;",
        "-- before; it's\nSELECT 1;\n-- after;\n/* and; */",
        "SELECT ';' AS a, 'it''s;' AS b, \"a;b\" AS \"c\"\"d;\" FROM t",
        "SELECT 1 /* ; ' */ AS a",
        "SELECT 1 -- ; '\n AS a",
        "SELECT BEGIN FROM t",
    ],
)
def test_one_statement_anywhere(sql: str) -> None:
    """Semicolons at the end, in literals, in quoted names and in comments part nothing, whatever the database."""
    for readings in (*([each] for each in READINGS), READINGS):
        assert is_one(sql, *readings)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 AS a; WRITES",
        "SELECT 1 AS a; SELECT 2 AS b",
        "SELECT begin FROM t; WRITES",
        "SELECT declare FROM t; WRITES; END",
        "SELECT '$$'; WRITES; SELECT '$$'",
        "SELECT 1 -- it's\n; WRITES",
        "SELECT 1 -- '\n; WRITES -- '",
        "SELECT 1;;; WRITES",
        "SELECT 1 /* ' */; WRITES",
        "SELECT 'it''s'; WRITES",
        "SELECT 1; WRITES; SELECT 'unclosed",
        "SELECT 1; WRITES /* unclosed",
    ],
)
def test_several_statements_anywhere(sql: str) -> None:
    """Several statements are seen as such, whatever words and quotes are in them, whatever the database."""
    for readings in (*([each] for each in READINGS), READINGS):
        assert not is_one(sql, *readings)


@pytest.mark.parametrize(
    ("sql", "one_in"),
    [
        ("SELECT $$a;b$$ AS a", {"postgres"}),
        ("SELECT $x$a;$y$;$$b$x$ AS a", {"postgres"}),
        ("SELECT a$b$; WRITES; SELECT 1 AS c$b$", set()),
        ("SELECT 1 AS $$; WRITES; SELECT 1 AS $$", {"postgres"}),
        ("SELECT '\\'; WRITES -- '", {"mysql"}),
        ("SELECT E'\\';' AS a", {"postgres", "mysql"}),
        ("SELECT nameE'\\'; WRITES -- '", {"mysql"}),
        ("SELECT E'a'\n'\\''; WRITES --'", {"sqlite", "oracle"}),
        ("SELECT E'a' -- b\n -- c\n\t'\\''; WRITES --'", {"sqlite", "oracle"}),
        ("SELECT E'a' '\\'';b'", {"postgres", "sqlite", "oracle"}),
        (f"SELECT E'a' {'-' * 100}; b", {"postgres", "sqlite", "oracle"}),
        ("SELECT /* /* ; */ ; */ 1", {"postgres"}),
        ("SELECT 1 /* /* */; WRITES /* */ */", {"postgres"}),
        ("SELECT 1 -- a\r; WRITES", {"mysql", "sqlite", "oracle"}),
        ("SELECT 1 # ; a", {"mysql"}),
        ("SELECT a #> '{x}'; WRITES", {"mysql"}),
        ("SELECT 5--3; WRITES", {"postgres", "sqlite", "oracle"}),
        ("SELECT 1 /*! ; WRITES */", {"postgres", "sqlite", "oracle"}),
        ("SELECT `a;b` FROM t", {"mysql", "sqlite"}),
        ("SELECT [a;b] FROM t", {"sqlite"}),
        ("SELECT ARRAY[$1]; WRITES", set()),
        ("SELECT q'[it's; ok]' FROM dual", {"oracle"}),
        ("SELECT Q'(it's; ok)', q'{it's;}', q'<it's;>' FROM dual", {"oracle"}),
        ("SELECT nq'!it's; ok!', NQ'|';'|' FROM dual", {"oracle"}),
        ("SELECT q'[a]'; WRITES", set()),
        ("SELECT q'[it's]'; WRITES; SELECT q'[it's]' FROM dual", {"postgres", "mysql", "sqlite"}),
        ("SELECT tq'['; WRITES -- ]'", set()),
    ],
)
def test_where_databases_differ(sql: str, one_in: set[str]) -> None:
    """What hides a semicolon in one database does not in another; for an unknown one it does if any would have it."""
    by_name = {"postgres": POSTGRES, "mysql": MYSQL, "sqlite": SQLITE, "oracle": ORACLE}
    assert {name for name, reading in by_name.items() if is_one(sql, reading)} == one_in
    assert is_one(sql, *READINGS) == bool(one_in)


def test_strings_with_escapes() -> None:
    """Where PostgreSQL's strings are not as the standard has them, a backslash escapes a quote in each."""
    sql = "SELECT 'a\\''; WRITES --'"
    assert is_one(sql, POSTGRES)
    assert not is_one(sql, POSTGRES_WITH_ESCAPES)


@pytest.mark.parametrize("sql", ["", " \n", ";", "-- SELECT 1", "/* SELECT 1 */;"])
def test_no_statement(sql: str) -> None:
    """A text without a statement is refused as such."""
    with pytest.raises(OSSInvalidArgument, match="sql holds no statement"):
        check_one_statement(sql, *READINGS)


@pytest.mark.parametrize("sql", [None, ["SELECT 1", "SELECT 2"], b"SELECT 1"])
def test_no_text(sql: object) -> None:
    """What is no text, such as a list that a template made, is refused by its type."""
    with pytest.raises(OSSInvalidArgument, match=f"sql is an? {type(sql).__name__}: give the text of one query"):
        check_one_statement(sql, *READINGS)


pieces = st.lists(
    st.sampled_from(["'", '"', "`", "[", "]", ";", "--", "\n", "/*", "*/", "$$", "\\", "SELECT", "1", " ", "x", "E"]),
    max_size=12,
).map("".join)


@given(sql=pieces)
@example(sql="/*/*/;")
def test_sqlite_agrees(sql: str) -> None:
    """Where SQLite finds a whole statement, and something behind it, two are counted."""
    text = f"SELECT 1 {sql}"
    for place in [found.end() for found in re.finditer(";", text)]:
        if sqlite3.complete_statement(text[:place]):
            assert not is_one(f"{text[:place]} SELECT 2", SQLITE)
            break
