"""
PostgreSQL's COPY as a writer of csv: the same bytes as ``formats`` writes, and the values that ``parquet`` reads.

For a column of each type there is an expression whose text is what the export writes of its values. It is the column
itself for most: never a cast to text, which drops the blanks of a ``char(n)`` and lengthens an ``inet``. None uses
regular expressions, which cost the server more than all that is saved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from airflow_provider_oss.exports.columns import Column, Kind
from airflow_provider_oss.exports.formats import CsvFormat, FileFormat
from airflow_provider_oss.exports.parquet import reads_lines

_TEXT: Final = "{0}::pg_catalog.text"
_JSON: Final = "pg_catalog.to_json({0})::pg_catalog.text"
_ISO: Final = f"pg_catalog.btrim({_JSON}, '\"')"
_BASE64: Final = r"pg_catalog.translate(pg_catalog.encode({0}, 'base64'), E'\n', '')"
_ONE_LINE_JSON: Final = rf"pg_catalog.translate({_JSON}, E'\r\n', '  ')"
_FULL_OFFSET: Final = (
    f"CASE WHEN pg_catalog.left(pg_catalog.right({_TEXT}, 3), 1) IN ('+', '-') "
    f"THEN pg_catalog.concat({_TEXT}, ':00') ELSE {_TEXT} END"
)
_OF_KIND: Final[Mapping[Kind, str]] = {
    Kind.BOOLEAN: _TEXT,
    Kind.TIMESTAMP: _ISO,
    Kind.TIMESTAMP_TZ: _ISO,
    Kind.TIME_TZ: _FULL_OFFSET,
    Kind.BYTES: _BASE64,
}
_WITHOUT_JSON: Final = (Kind.BYTES, Kind.TIME_TZ)
"""Kinds whose arrays PostgreSQL has as other JSON than the export."""
_OIDS: Final = "oid[]"
"""So are these: their items are text in PostgreSQL's JSON."""


def copy_statement(sql: str, columns: Sequence[Column], indices: Sequence[int], form: FileFormat) -> str | None:
    """
    Return the COPY that answers ``sql`` with the lines of the columns at these indices; None where none does.

    They are those of csv, or those that ``parquet`` makes its files of: it reads every value as PostgreSQL has it.

    ``sql`` is one query without parameters and without a semicolon at its end, and that has to be known: the text is
    put in parentheses as it is.
    """
    expression = _EXPRESSIONS.get(form.name)
    if expression is None or not _is_known(form.csv, len(indices)):
        return None
    expressions = [expression(columns[index], f"c{index}") for index in indices]
    if None in expressions:
        return None
    names = ", ".join(f"c{index}" for index in range(len(columns)))
    values = ", ".join(map(str, expressions))
    return f"COPY (SELECT {values} FROM (\n{sql}\n) AS q({names})) TO STDOUT WITH ({_options(form.csv)})"  # noqa: S608 - the user's own query


def _in_csv(column: Column, name: str) -> str | None:
    if not column.is_array:
        return _OF_KIND.get(column.kind, "{0}").format(name)
    if column.kind in _WITHOUT_JSON or column.type_name == _OIDS:
        return None
    return (_ONE_LINE_JSON if column.kind is Kind.JSON else _JSON).format(name)


def _in_parquet(column: Column, name: str) -> str | None:
    if not reads_lines(column):
        return None
    return _FULL_OFFSET.format(name) if column.kind is Kind.TIME_TZ else name


_EXPRESSIONS: Final = {"csv": _in_csv, "parquet": _in_parquet}
"""By file format; of jsonl rows are fetched."""


def _is_known(form: CsvFormat, column_count: int) -> bool:
    r"""
    Whether COPY writes this form: its characters are of one byte, and it has rules of its own for a single column.

    There it quotes ``\.``, and leaves the line of a NULL empty.
    """
    characters = form.delimiter + form.quotechar + form.null_marker
    return column_count > 1 and characters.isascii() and "\0" not in characters


def _options(form: CsvFormat) -> str:
    options = [
        "FORMAT csv",
        f"DELIMITER {_literal(form.delimiter)}",
        f"QUOTE {_literal(form.quotechar)}",
        f"NULL {_literal(form.null_marker)}",
        *(["FORCE_QUOTE *"] if form.quoting == "all" else []),
    ]
    return ", ".join(options)


def _literal(text: str) -> str:
    escaped = text.replace("\\", r"\\").replace("'", "''")
    return f"E'{escaped}'"
