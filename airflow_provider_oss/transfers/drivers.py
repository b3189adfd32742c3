"""
What differs between database drivers: how their databases read SQL, how rows are read, which errors mean a wrong query.

Databases differ in what hides a semicolon: PostgreSQL's dollar quotes are part of a name in MySQL, a backslash before a
quote escapes it in MySQL alone, comments nest in PostgreSQL. So each has a reading of its own; a text for a database
that is not known is read in every way.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, NamedTuple

from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.exports.columns import Row
from airflow_provider_oss.shown import a_type

_COMMENT_EDGE: Final = re.compile(r"/\*|\*/")
_COMMENT_END: Final = re.compile(r"\*/")
_REST: Final = r"""|(?P<comment>/\*)|(?P<end>;)|(?P<blank>\s+)|(?P<unclosed>['"`$])|."""
"""What all have in common: a quote that comes to this is never closed."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The lexical rules of one kind of database, as far as they tell where a statement ends."""

    token: re.Pattern[str]
    comments_nest: bool = False


def _reading(*tokens: str, comments_nest: bool = False) -> Reading:
    return Reading(re.compile("|".join(tokens) + _REST, re.DOTALL), comments_nest)


_ESCAPED: Final = r"'(?:[^'\\]|\\.|'')*'"
_CONTINUED: Final = r"[ \t\f\v]*(?:--[^\r\n]*)?[\r\n](?:\s|--[^\r\n]*[\r\n])*"
"""Between two quotes it makes one string of PostgreSQL of both: where the first has escapes, so has the second."""


def _postgres(string: str) -> Reading:
    return _reading(
        r"(?P<skip>--[^\r\n]*)",
        f"[eE]{_ESCAPED}(?:{_CONTINUED}{_ESCAPED})*",
        string,
        r'"(?:[^"]|"")*"',
        r"\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?P=tag)\$",
        r"\$\d+",
        r"[^\W\d][\w$]*",  # a name, which may hold dollars and end in an E
        "`",
        comments_nest=True,
    )


POSTGRES: Final = _postgres(r"'(?:[^']|'')*'")
POSTGRES_WITH_ESCAPES: Final = _postgres(_ESCAPED)
"""As a session reads whose ``standard_conforming_strings`` are off: a backslash escapes in every string."""
MYSQL: Final = _reading(
    r"(?P<skip>--(?=[\s\0-\x1f]|\Z)[^\n]*|\#[^\n]*)",
    r"'(?:[^'\\]|\\.|'')*'",
    r'"(?:[^"\\]|\\.|"")*"',
    r"`(?:[^`]|``)*`",
    r"/\*M?!",  # what is in such a comment is executed
    r"\$",
)
SQLITE: Final = _reading(
    r"(?P<skip>--[^\n]*)",
    r"'(?:[^']|'')*'",
    r'"(?:[^"]|"")*"',
    r"`(?:[^`]|``)*`",
    r"\[[^]]*\]",
    r"\$",
)
ORACLE: Final = _reading(
    r"(?P<skip>--[^\n]*)",
    *(rf"[nN]?[qQ]'{re.escape(begin)}.*?{re.escape(end)}'" for begin, end in ("[]", "()", "{}", "<>")),
    r"[nN]?[qQ]'(?P<mark>[^\s\[({<]).*?(?P=mark)'",
    r"'(?:[^']|'')*'",
    r'"[^"]*"',
    r"[^\W\d][\w$#]*",  # a name, which may end in a Q
    "`",
    r"\$",
)
READINGS: Final = (POSTGRES, MYSQL, SQLITE, ORACLE)
"""Oracle's is for databases that are not known: no driver of it is."""


def check_one_statement(sql: object, *readings: Reading) -> None:
    """
    Raise OSSInvalidArgument unless ``sql`` is the text of one statement, which semicolons may end.

    Of several readings those decide in which every quote is closed, and the text is refused when none of them finds one
    statement: it is for a database that is not known, and another may hide a semicolon.
    """
    if not isinstance(sql, str):
        raise OSSInvalidArgument(f"sql is {a_type(sql)}: give the text of one query")
    counted = [_count(sql, reading) for reading in readings]
    counts = [each.statements for each in counted if each.is_closed] or [each.statements for each in counted]
    if max(counts) == 0:
        raise OSSInvalidArgument("sql holds no statement: give one query, such as SELECT ...")
    if min(counts) > 1:
        raise OSSInvalidArgument(
            f"sql holds {min(counts)} statements, and none was executed: give one query (a semicolon at its end is "
            "fine), and a task of its own for each of the others"
        )


class _Count(NamedTuple):
    statements: int
    """Those that are not empty."""
    is_closed: bool
    """Whether each quote and comment ends."""


def without_end(sql: str, reading: Reading) -> str:
    """Return the text of one statement up to the semicolon that ends it, if any does."""
    return sql[: next((start for kind, start in _tokens(sql, reading) if kind == "end"), len(sql))]


def with_tokens(sql: str, reading: Reading, texts: Mapping[str, str]) -> str:
    """Return the text with others in place of some of its tokens; what is in comments and quotes stays as it is."""
    starts = [start for _, start in _tokens(sql, reading)]
    tokens = (sql[start:end] for start, end in pairwise([*starts, len(sql)]))
    return "".join(texts.get(token, token) for token in tokens)


def _count(sql: str, reading: Reading) -> _Count:
    statements, is_empty = 0, True
    for kind, _ in _tokens(sql, reading):
        if kind in ("unclosed", "endless"):
            return _Count(statements + (is_empty and kind == "unclosed"), is_closed=False)
        if kind == "end":
            is_empty = True
        elif kind not in ("skip", "blank", "comment"):
            statements += is_empty
            is_empty = False
    return _Count(statements, is_closed=True)


def _tokens(sql: str, reading: Reading) -> Iterator[tuple[str | None, int]]:
    """Yield kind and place of each token; the last may be a quote that is ``unclosed``, or an ``endless`` comment."""
    place = 0
    while found := reading.token.match(sql, place):
        place, kind = found.end(), found.lastgroup
        if kind == "comment":
            place = _comment_end(sql, found.start(), nest=reading.comments_nest)
        if place < 0:
            kind = "endless"
        yield kind, found.start()
        if kind in ("unclosed", "endless"):
            return


def _comment_end(sql: str, start: int, *, nest: bool) -> int:
    """Return where the comment that begins at ``start`` ends; -1 when it does not."""
    edges, depth = (_COMMENT_EDGE if nest else _COMMENT_END), 1
    for edge in edges.finditer(sql, start + 2):
        depth += 1 if edge.group() == "/*" else -1
        if not depth:
            return edge.end()
    return -1


def in_order(rows: Sequence[Any], names: Sequence[Any]) -> Sequence[Row]:
    """
    Return the values of each row; those of a mapping, which goes through its names, by name.

    A connection may be set so that its rows are mappings, or one value. Raises OSSInvalidArgument for a row whose
    values cannot be told: one text would be exported letter by letter.
    """
    if set(map(type, rows)) == {tuple} and set(map(len, rows)) == {len(names)}:
        return rows
    is_unique = len(set(names)) == len(names)
    return [_row_in_order(row, names, is_unique=is_unique) for row in rows]


def _row_in_order(row: Any, names: Sequence[Any], *, is_unique: bool) -> Row:
    if isinstance(row, Mapping):
        return _by_name(row, names, is_unique=is_unique)
    if isinstance(row, str | bytes | bytearray) or not hasattr(row, "__getitem__") or len(row) != len(names):
        raise OSSInvalidArgument(
            f"the connection gives {a_type(row)} that is no row of {len(names)} values: let its hook set "
            "no row_factory, and no cursor class"
        )
    found: Row = row
    return found


def _by_name(row: Mapping[Any, Any], names: Sequence[Any], *, is_unique: bool) -> Row:
    if not is_unique or not all(name in row for name in names):
        raise OSSInvalidArgument(
            f"the connection gives rows by name ({a_type(row)}), and two columns share a name, or a row has "
            "none of that name: name the columns apart in the query (AS), or let its hook ask for tuples"
        )
    return [row[name] for name in names]


MYSQL_DRIVERS: Final = ("MySQLdb", "pymysql", "mysql")
DUCKDB_DRIVERS: Final = ("duckdb", "_duckdb")

READING_OF: Final[dict[str, Reading]] = {
    **dict.fromkeys(("psycopg", "psycopg2", *DUCKDB_DRIVERS), POSTGRES),
    **dict.fromkeys(MYSQL_DRIVERS, MYSQL),
    "sqlite3": SQLITE,
}
"""How the databases of these drivers read SQL."""

_WRONG: Final = "42"
"""The SQLSTATE class of syntax errors and violated access rules."""
_NOT_SUPPORTED: Final = "0A"
_NOT_THERE_NOW: Final = frozenset({"42P01", "42703", "42S02", "42S22", "42704"})
"""
No such table, no such column: one that is swapped every night is there at the retry.

The first two are PostgreSQL's, the next two ODBC's and Snowflake's, the last is Db2's (a type in PostgreSQL).
"""
_NO_VALUE: Final = "22"
"""The class of values that their types do not have: before the first row it is a parameter's."""
_NO_UTF8: Final = "22021"
_WRONG_IN_MYSQL: Final = frozenset(
    {
        *(1044, 1055, 1056, 1057, 1059, 1060, 1063, 1064, 1065, 1066, 1102, 1103, 1104, 1110, 1115, 1139, 1140, 1142),
        *(1143, 1149, 1176, 1227, 1235, 1248, 1250, 1305, 1318, 1327, 1370, 1582, 1583, 1584, 1630),
    }
)
"""
MySQL's errors of that class that a query can have, by number: two of its drivers give no SQLSTATE.

Those of a table, column or database that is not there, and of too many connections (1203, 1226), are not among them.
"""
_WRONG_IN_SQLITE: Final = re.compile(r'near ".*": syntax error|incomplete input|unrecognized token: ".*"', re.DOTALL)
"""SQLite has one number for all errors of a statement."""
_WRITES: Final = "SQLITE_READONLY"
"""Of a connection that may not write. Longer names are troubles with the database's file, which may pass."""
_NO_UTF8_IN_SQLITE: Final = re.compile(r"Could not decode to UTF-8 column '(.*?)' with text '", re.DOTALL)
_WITH_SQLSTATE: Final = ("psycopg", "psycopg2")
"""Drivers whose errors have the database's SQLSTATE, unless the database was never asked."""


def driver_of(thing: object) -> str:
    """Return the package that a connection or an error is of."""
    return type(thing).__module__.partition(".")[0]


def as_wrong_query(error: Exception, *, has_parameters: bool) -> OSSInvalidArgument | None:
    """
    Return what to raise where the driver says that the query is wrong; None for any other error.

    The driver's text quotes the query. So it is left out where that may hold parameters, which may be secret.
    """
    if _is_about_binding(error, has_parameters=has_parameters):
        return OSSInvalidArgument(
            f"the driver does not take sql with these parameters ({type(error).__name__}): give a value for each "
            "placeholder and no others, each of a type, size and text that the driver can bind"
        )
    reason = _reason(error)
    if reason is None:
        return None
    text = "what is wrong would quote the parameters" if has_parameters else str(error).partition("\n")[0]
    return OSSInvalidArgument(f"the database says that sql is wrong ({type(error).__name__}, {reason}): {text}")


def _reason(error: Exception) -> str | None:
    """Return the driver's name for what is wrong with the query."""
    driver = driver_of(error)
    if driver == "sqlite3":
        if getattr(error, "sqlite_errorname", None) == _WRITES:
            return _WRITES
        return "SQLITE_ERROR" if _WRONG_IN_SQLITE.fullmatch(str(error)) else None
    if driver in DUCKDB_DRIVERS:
        return "DuckDB" if type(error).__name__ == "ParserException" else None
    if driver in MYSQL_DRIVERS:
        return f"error {error.args[0]}" if error.args and error.args[0] in _WRONG_IN_MYSQL else None
    state = _state(error)
    is_wrong = isinstance(state, str) and state.startswith(_WRONG) and state not in _NOT_THERE_NOW
    return f"SQLSTATE {state}" if is_wrong else None


def _is_about_binding(error: Exception, *, has_parameters: bool) -> bool:
    """Whether the driver, or PostgreSQL, could not even ask: drivers raise Python's own errors for it, too."""
    driver = driver_of(error)
    if has_parameters and driver in _WITH_SQLSTATE and str(_state(error)).startswith(_NO_VALUE):
        return True
    if driver == "sqlite3" or (has_parameters and driver in _WITH_SQLSTATE):
        return type(error).__name__ in {"ProgrammingError", "DataError"} and _state(error) is None
    is_pythons = has_parameters and driver == "builtins"
    return is_pythons and isinstance(error, TypeError | ValueError | OverflowError | LookupError)


def as_undecoded(error: Exception) -> OSSInvalidArgument | None:
    """Return what to raise where a driver met text that is no UTF-8; None for any other error. The text is left out."""
    found = _NO_UTF8_IN_SQLITE.match(str(error)) if driver_of(error) == "sqlite3" else None
    if found is None and not isinstance(error, UnicodeDecodeError):
        return None
    column = repr(found[1]) if found else "unknown (the driver names none)"
    return OSSInvalidArgument(
        f"a value of column {column} is no UTF-8: ask for the bytes of its text, in SQLite with CAST(... AS BLOB)"
    )


def refuses_copy(error: Exception) -> bool:
    """Whether PostgreSQL, or what speaks its protocol, says that it has no such statement, function or setting."""
    return str(_state(error)).startswith((_WRONG, _NOT_SUPPORTED))


def is_no_utf8(error: Exception) -> bool:
    """Whether PostgreSQL's text is no UTF-8: the server of an SQL_ASCII database says that, or an old one sends it."""
    return isinstance(error, UnicodeDecodeError) or _state(error) == _NO_UTF8


def _state(error: Exception) -> Any:
    """Return the SQLSTATE; None when the driver does not give it."""
    return getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
