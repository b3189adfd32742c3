"""Which columns are exported: an excluded one never is."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.exports.columns import Column, Kind, check_unique_names, select_columns

NAMES = ("name", "password", "age")
COLUMNS = [Column(name) for name in NAMES]
ROW = ("bob", "s3cret", 7)


@pytest.mark.parametrize(
    ("wanted", "exclude", "expected"),
    [
        (None, None, ROW),
        (None, ["password"], ("bob", 7)),
        (None, {"password", "name"}, (7,)),
        (["age", "name"], None, (7, "bob")),
        (iter(["age", "name"]), iter(["name"]), (7,)),
        (["age", "password"], ["password"], (7,)),
        (["name", "password", "age"], [], ROW),
    ],
)
def test_values_follow_their_names(wanted: Any, exclude: Any, expected: tuple[Any, ...]) -> None:
    """A row keeps each value under its own column's name, and nothing of an excluded one."""
    selection = select_columns(COLUMNS, wanted, exclude)
    [row] = selection.apply([ROW])
    assert tuple(row) == expected
    assert [NAMES.index(column.name) for column in selection.columns] == [ROW.index(value) for value in expected]


@pytest.mark.parametrize(
    ("wanted", "exclude", "message"),
    [
        (None, ["Password"], "exclude names 'Password', but the result has only name, password, age"),
        (["nam"], None, "columns names 'nam'"),
        (None, "password", r"exclude='password' is no list of column names: give \['password'\]"),
        (None, [1], "exclude="),
        (["age", "age"], None, "'age', which is there twice"),
        (None, NAMES, "no column is left"),
    ],
)
def test_refused(wanted: Any, exclude: Any, message: str) -> None:
    """A name that means nothing is an error, so that a misspelt one lets no column through."""
    with pytest.raises(OSSInvalidArgument, match=message):
        select_columns(COLUMNS, wanted, exclude)


def test_no_columns() -> None:
    """A result without columns is nothing to export."""
    with pytest.raises(OSSInvalidArgument, match="no column is left"):
        select_columns([])


def test_columns_of_one_name() -> None:
    """Excluding a name excludes all columns of it; asking for one of them is ambiguous."""
    columns = [Column("a"), Column("b"), Column("a")]
    assert list(select_columns(columns, exclude=["a"]).apply([(1, 2, 3)])) == [[2]]
    with pytest.raises(OSSInvalidArgument, match="'a', which is there twice"):
        select_columns(columns, ["a"])
    with pytest.raises(OSSInvalidArgument, match="2 columns are called 'a', and file_format='jsonl'"):
        check_unique_names(columns, "jsonl")


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (Column("a", Kind.INTEGER, "bigint"), "bigint"),
        (Column("a", Kind.INTEGER), "integer"),
        (Column("a", Kind.TEXT, is_array=True), "text[]"),
        (Column("a"), "unknown"),
    ],
)
def test_described(column: Column, expected: str) -> None:
    """A column is described by what the database calls its type, else by its kind."""
    assert column.described() == {"name": "a", "type": expected}
