"""
Rows as CSV, in UTF-8.

NULL and the empty string stay apart, as in PostgreSQL's COPY: NULL is the null marker without quotes (nothing, by
default), and a value that reads like the marker is quoted (``a,,b`` is NULL, ``a,"",b`` an empty string).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.exports.columns import Batches, Column, Kind, Row
from airflow_provider_oss.exports.values import Converter, text_converter

_PLAIN_KINDS: Final = frozenset(
    {Kind.BOOLEAN, Kind.INTEGER, Kind.FLOAT, Kind.DECIMAL, Kind.DATE, Kind.TIME, Kind.TIMESTAMP, Kind.TIMESTAMP_TZ}
)
"""What is written of them is letters, digits, spaces and ``+-.:``."""


@dataclass(frozen=True, slots=True)
class CsvFormat:
    """How CSV is written. Raises OSSInvalidArgument for what no reader could tell apart."""

    header: bool = True
    """Whether the first line has the columns' names."""
    delimiter: str = ","
    quotechar: str = '"'
    """Doubled inside quotes."""
    quoting: str = "minimal"
    """``minimal``: what could be read otherwise is quoted; ``all``: everything but NULL."""
    line_ending: str = "\n"
    null_marker: str = ""

    def __post_init__(self) -> None:
        for name in ("delimiter", "quotechar"):
            character = getattr(self, name)
            if not isinstance(character, str) or len(character) != 1 or character in "\r\n\0":
                raise OSSInvalidArgument(f"csv_options: {name}={character!r} is not one character other than a newline")
        if self.delimiter == self.quotechar:
            raise OSSInvalidArgument(f"csv_options: delimiter and quotechar are both {self.delimiter!r}")
        if not isinstance(self.header, bool):
            raise OSSInvalidArgument(f"csv_options: header={self.header!r} is neither True nor False")
        if self.quoting not in ("minimal", "all"):
            raise OSSInvalidArgument(f"csv_options: quoting={self.quoting!r} is not known: use 'minimal' or 'all'")
        if self.line_ending not in ("\n", "\r\n"):
            raise OSSInvalidArgument(f"csv_options: line_ending={self.line_ending!r} is neither '\\n' nor '\\r\\n'")
        marker = self.null_marker
        if not isinstance(marker, str) or any(mark in marker for mark in (self.delimiter, self.quotechar, "\r", "\n")):
            raise OSSInvalidArgument(
                f"csv_options: null_marker={marker!r} must be text without delimiter, quotechar and newline"
            )

    @property
    def leaves_plain_text(self) -> bool:
        """Whether text of letters, digits, spaces and ``+-.:`` never needs quotes."""
        return (
            self.quoting == "minimal" and not self.null_marker and self.delimiter in ",;|\t" and self.quotechar in "\"'"
        )


def parse_csv_options(options: Mapping[str, Any] | None) -> CsvFormat:
    """Return the format that a user's mapping describes. Raises OSSInvalidArgument, for an unknown name too."""
    if options is not None and not isinstance(options, Mapping):
        raise OSSInvalidArgument(f"csv_options={options!r} is no mapping of names to values")
    known = [field.name for field in fields(CsvFormat)]
    if unknown := [name for name in options or {} if name not in known]:
        raise OSSInvalidArgument(f"csv_options: {unknown[0]!r} is not known: use {', '.join(known)}")
    return CsvFormat(**(options or {}))


def csv_bytes(columns: Sequence[Column], batches: Batches, form: CsvFormat) -> Iterator[bytes]:
    """Yield the header, if there is to be one, then the lines of each batch of rows."""
    line = _line_writer(columns, form)
    if form.header:
        quoted = _quoter(form)
        header = form.delimiter.join(quoted(column.name) for column in columns)
        yield f"{header}{form.line_ending}".encode()
    for batch in batches:
        yield "".join(map(line, batch)).encode()


def _line_writer(columns: Sequence[Column], form: CsvFormat) -> Callable[[Row], str]:
    converters = [_cell_writer(column, form) for column in columns]
    null, delimiter, ending = form.null_marker, form.delimiter, form.line_ending
    if len(columns) == 1 and not null:
        return _only_line_writer(columns[0], converters[0], ending)

    def line(row: Row) -> str:
        cells = [null if value is None else convert(value) for convert, value in zip(converters, row, strict=True)]
        return delimiter.join(cells) + ending

    return line


def _only_line_writer(column: Column, convert: Converter, ending: str) -> Callable[[Row], str]:
    """Return what writes a line of one cell, which NULL would leave empty: most readers skip empty lines."""

    def line(row: Row) -> str:
        [value] = row
        if value is None:
            raise OSSInvalidArgument(
                f"column {column.name!r} is the only one and holds NULL, which would be an empty line: give "
                "csv_options a null_marker"
            )
        return convert(value) + ending

    return line


def _cell_writer(column: Column, form: CsvFormat) -> Converter:
    convert, quoted = text_converter(column), _quoter(form)
    if column.kind in _PLAIN_KINDS and not column.is_array and form.leaves_plain_text:
        return convert
    return lambda value: quoted(convert(value))


def _quoter(form: CsvFormat) -> Converter:
    quote, null = form.quotechar, form.null_marker
    doubled = quote * 2
    needs_quotes = re.compile(f"[{re.escape(form.delimiter + quote)}\r\n]").search

    def always(text: str) -> str:
        return f"{quote}{text.replace(quote, doubled)}{quote}"

    def if_needed(text: str) -> str:
        return always(text) if text == null or needs_quotes(text) else text

    return always if form.quoting == "all" else if_needed
