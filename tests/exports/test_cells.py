"""Written column by column, an export has the bytes that each value alone would have."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_oss.exports.cells import text_writer, with_nulls, written
from airflow_provider_oss.exports.columns import Column, Kind, Row, json_converter, text_converter
from airflow_provider_oss.exports.formats import CsvFormat, csv_bytes, json_lines_bytes


class Colour(StrEnum):
    """Text with a type of its own."""

    RED = 'red, and "more"'


DECIMALS = st.decimals(allow_nan=False) | st.just(Decimal("NaN"))
WORDS = st.sampled_from(["", "NULL", "1", "a,b", "x"])
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")) | WORDS
NUMBERS = st.integers() | st.floats() | DECIMALS | st.booleans()
TIMES = st.dates() | st.datetimes() | st.datetimes(timezones=st.timezones()) | st.times() | st.timedeltas()
ANY = TEXT | NUMBERS | TIMES | st.binary() | st.uuids() | st.just(Colour.RED) | st.lists(st.integers() | TEXT)

NUMBERS_AS_TEXT = st.sampled_from(["0.50", "-1e-7", "1e+22"]) | st.sampled_from(["NaN", "-Infinity"])
OF_KIND: dict[Kind, list[st.SearchStrategy[Any]]] = {
    Kind.UNKNOWN: [TEXT, WORDS, st.integers(), st.floats(), DECIMALS, st.dates(), st.datetimes(), st.binary(), ANY],
    Kind.TEXT: [TEXT, WORDS, ANY],
    Kind.INTEGER: [st.integers(), st.sampled_from(["0", "-12"])],
    Kind.FLOAT: [st.floats(), NUMBERS_AS_TEXT],
    Kind.DECIMAL: [DECIMALS, NUMBERS_AS_TEXT, st.decimals(allow_nan=False, allow_infinity=False)],
    Kind.BOOLEAN: [st.booleans()],
    Kind.BYTES: [st.binary()],
    Kind.DATE: [st.dates(), st.sampled_from(["infinity", "2026-01-02"])],
    Kind.TIMESTAMP: [st.datetimes(), st.sampled_from(["2026-01-02 03:04:05.6", "-infinity", "0001-01-02 03:04:05 BC"])],
    Kind.TIME: [st.times(), st.timedeltas(), st.sampled_from(["12:00:00.5", "-838:59:59"])],
    Kind.JSON: [st.sampled_from(['{"a":\n1.10}', "null"])],
}


@st.composite
def results(draw: Callable[..., Any]) -> tuple[list[Column], list[list[Row]]]:
    """Return columns and batches of rows, NULLs among them."""
    chosen = draw(st.lists(st.sampled_from(list(OF_KIND)), min_size=2, max_size=4))
    columns = [Column(f"{draw(TEXT)}%s{index}", kind) for index, kind in enumerate(chosen)]
    values = [draw(st.sampled_from(OF_KIND[kind])) for kind in chosen]
    rows = st.tuples(*(each | st.none() if draw(st.booleans()) else each for each in values))
    return columns, draw(st.lists(st.lists(rows, max_size=6), max_size=3))


FORMS = st.builds(
    CsvFormat,
    header=st.booleans(),
    delimiter=st.sampled_from([",", "\t", "-", "ß"]),
    quotechar=st.sampled_from(['"', "'"]),
    quoting=st.sampled_from(["minimal", "all"]),
    line_ending=st.sampled_from(["\n", "\r\n"]),
    null_marker=st.sampled_from(["NULL", "1"]),
)


def texts_of(columns: list[Column], row: Row) -> list[str | None]:
    return [
        None if value is None else text_converter(column)(value) for column, value in zip(columns, row, strict=True)
    ]


def one_by_one(columns: list[Column], rows: list[Row], form: CsvFormat) -> str:
    """Write csv value by value."""

    def cell(text: str | None) -> str:
        if text is None:
            return form.null_marker
        special = (form.delimiter, form.quotechar, "\r", "\n")
        if form.quoting == "minimal" and text != form.null_marker and not any(each in text for each in special):
            return text
        return form.quotechar + text.replace(form.quotechar, form.quotechar * 2) + form.quotechar

    lines: list[list[str | None]] = [[column.name for column in columns]] if form.header else []
    lines += [texts_of(columns, row) for row in rows]
    return "".join(form.delimiter.join(map(cell, line)) + form.line_ending for line in lines)


@given(results(), FORMS)
def test_csv(result: tuple[list[Column], list[list[Row]]], form: CsvFormat) -> None:
    """Csv has the bytes that it has when each value is written alone, and a reader finds the same texts in them."""
    columns, batches = result
    rows = [row for batch in batches for row in batch]
    found = b"".join(csv_bytes(columns, batches, form)).decode()
    assert found == one_by_one(columns, rows, form)
    read = csv.reader(io.StringIO(found, newline=""), delimiter=form.delimiter, quotechar=form.quotechar)
    texts = [texts_of(columns, row) for row in rows]
    assert list(read)[form.header :] == [[form.null_marker if each is None else each for each in row] for row in texts]


@given(results())
def test_jsonl(result: tuple[list[Column], list[list[Row]]]) -> None:
    """Jsonl has a line for each row, whose members are what each value is alone."""
    columns, batches = result
    lines = [
        ",".join(
            json.dumps(column.name, ensure_ascii=False)
            + ":"
            + ("null" if value is None else json_converter(column)(value))
            for column, value in zip(columns, row, strict=True)
        )
        for batch in batches
        for row in batch
    ]
    assert b"".join(json_lines_bytes(columns, batches)).decode() == "".join(f"{{{line}}}\n" for line in lines)


@pytest.mark.parametrize("batch", [[(1, 2), (3,)], [(1,)], [(1, 2, 3)]])
def test_rows_of_another_length(batch: list[Row]) -> None:
    """No value is written as another column's."""
    writers = [with_nulls(text_writer(Column(name)), "") for name in "ab"]
    with pytest.raises(ValueError, match="zip"):
        written(writers, batch)


def test_nothing() -> None:
    """A batch without rows has columns without values."""
    assert [list(texts) for texts in written([text_writer(Column("a"))] * 2, [])] == [[], []]


def test_infinite_numbers_among_others() -> None:
    """One number that has a word of its own changes none of the others."""
    for values in ([0.5, float("nan"), 1e22], [Decimal("0.5"), Decimal("NaN"), Decimal("1e22")]):
        texts = text_writer(Column("a"))(values)
        assert texts == ["0.5", "NaN", "1e+22" if isinstance(values[0], float) else "1" + "0" * 22]
