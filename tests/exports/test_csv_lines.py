"""CSV that a reader takes apart into exactly the values that went in."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.exports.columns import Column, Kind
from airflow_provider_oss.exports.formats import CsvFormat, csv_bytes, parse_csv_options

COLUMNS = [Column("a", Kind.TEXT), Column("b", Kind.TEXT), Column("c", Kind.TEXT)]


def write(rows: list[Any], columns: list[Column] | None = None, **options: Any) -> str:
    batches = [rows[:1], rows[1:]]
    return b"".join(csv_bytes(columns or COLUMNS, batches, parse_csv_options(options))).decode()


def test_null_empty_and_zero() -> None:
    """NULL, the empty string and zero are three different things."""
    rows = [(None, "", "0"), (0, False, Decimal("0.00"))]
    columns = [Column(name) for name in "abc"]
    assert write(rows, columns) == 'a,b,c\n,"",0\n0,false,0.00\n'
    assert write(rows, columns, null_marker=r"\N") == "a,b,c\n\\N,,0\n0,false,0.00\n"
    assert write([(None, "NULL", "x")], null_marker="NULL") == 'a,b,c\nNULL,"NULL",x\n'
    assert write(rows, columns, quoting="all", header=False) == ',"","0"\n"0","false","0.00"\n'


@pytest.mark.parametrize(
    "value", ["a,b", 'a"b', "a\nb", "a\r\nb", "\r", '"', " ", "ß'\t;", "x" * 100_000], ids=lambda value: repr(value[:9])
)
def test_quoting(value: str) -> None:
    """Whatever a value has in it comes back from the reader of the standard library."""
    text = write([(value, "", "x")])
    assert list(csv.reader(io.StringIO(text, newline=""))) == [["a", "b", "c"], [value, "", "x"]]


def test_the_other_ways() -> None:
    """Delimiter, quote character, line ending and header are as asked, and what needs quotes then gets them."""
    text = write([("a;b", "c'd", "e,f")], delimiter=";", quotechar="'", line_ending="\r\n", header=False)
    assert text == "'a;b';'c''d';e,f\r\n"
    assert write([], [Column("a,b"), Column('"')]) == '"a,b",""""\n'
    assert write([], header=False) == ""


def test_numbers_that_need_quotes() -> None:
    """Numbers and times are quoted too where the delimiter or the marker could be one of their characters."""
    columns = [Column("a", Kind.DECIMAL), Column("b", Kind.TIME), Column("c", Kind.INTEGER)]
    row = (Decimal("-1.5"), "12:00:00", 7)
    assert write([row], columns, header=False) == "-1.5,12:00:00,7\n"
    assert write([row], columns, header=False, delimiter=".") == '"-1.5".12:00:00.7\n'
    assert write([row], columns, header=False, delimiter=":") == '-1.5:"12:00:00":7\n'
    assert write([row], columns, header=False, null_marker="7") == '-1.5,12:00:00,"7"\n'
    assert write([row], columns, header=False, quoting="all") == '"-1.5","12:00:00","7"\n'


def test_only_column_is_null() -> None:
    """A single NULL would be an empty line, which readers skip: it is refused unless there is a marker."""
    with pytest.raises(OSSInvalidArgument, match=r"column 'a' is the only one and holds NULL.*null_marker"):
        write([("x",), (None,)], [Column("a")])
    assert write([("",), (None,)], [Column("a")], null_marker="NULL") == "a\n\nNULL\n"
    assert write([("",)], [Column("a")]) == 'a\n""\n'


def test_rows_of_another_length() -> None:
    """A row that does not fit the columns is no export."""
    with pytest.raises(ValueError, match="zip"):
        write([("a", "b")])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"delimiter": ""}, "delimiter='' is not one character"),
        ({"delimiter": "\n"}, "delimiter"),
        ({"delimiter": '"'}, "delimiter and quotechar are both"),
        ({"quotechar": None}, "quotechar=None"),
        ({"quoting": "some"}, "quoting='some' is not known: use 'minimal' or 'all'"),
        ({"line_ending": "\r"}, "line_ending"),
        ({"null_marker": "a,b"}, "null_marker='a,b'"),
        ({"null_marker": None}, "null_marker=None"),
        ({"header": "no"}, "header='no' is neither True nor False"),
        ({"separator": ";"}, "'separator' is not known: use header, delimiter, quotechar"),
    ],
)
def test_refused(options: dict[str, Any], message: str) -> None:
    """What no reader could tell apart, or is misspelt, is refused by name."""
    with pytest.raises(OSSInvalidArgument, match=message):
        parse_csv_options(options)


def test_options_that_are_none() -> None:
    """No options are the usual ones; what is no mapping is refused."""
    assert parse_csv_options(None) == CsvFormat()
    with pytest.raises(OSSInvalidArgument, match="no mapping"):
        parse_csv_options([("header", True)])  # type: ignore[arg-type]  # as a user might


CELLS = st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), min_size=2, max_size=4)


@given(
    rows=st.lists(CELLS.filter(lambda row: len(row) == 3), min_size=1, max_size=5),
    quoting=st.sampled_from(["minimal", "all"]),
    delimiter=st.sampled_from([",", ";", "\t", "|", " "]),
    quotechar=st.sampled_from(['"', "'"]),
)
def test_every_text_comes_back(rows: list[list[str]], quoting: str, delimiter: str, quotechar: str) -> None:
    """Any text survives any way of writing it."""
    text = write(rows, quoting=quoting, delimiter=delimiter, quotechar=quotechar, header=False)
    assert list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quotechar=quotechar)) == rows
