"""Hive's layout: which folder the rows of a value are in, and what no folder can be named after."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.exports.columns import Column, Kind
from airflow_provider_oss.exports.formats import check_keys, has_ending, manifest_key, piece_key
from airflow_provider_oss.exports.partitions import Layout, above_partitions, partitioned_key

MIDNIGHT = dt.datetime(2026, 1, 1)  # noqa: DTZ001 - without a zone
NUMBER = Column("n", Kind.INTEGER)


def folder(kind: Kind, value: Any) -> str:
    layout = Layout([Column("k", kind), NUMBER], ["k"], keep=False)
    return layout.folder(layout.values_of((value, 1)))


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (Kind.TEXT, None, "k=__HIVE_DEFAULT_PARTITION__"),
        (Kind.UNKNOWN, None, "k=__HIVE_DEFAULT_PARTITION__"),
        (Kind.TEXT, "a b+c", "k=a b+c"),
        (Kind.TEXT, "x/y=100%", "k=x%2Fy%3D100%25"),
        (Kind.TEXT, "..", "k=.."),
        (Kind.TEXT, "\x01\n{index}", "k=%01%0A%7Bindex}"),
        (Kind.INTEGER, -7, "k=-7"),
        (Kind.DECIMAL, Decimal("1.50"), "k=1.50"),
        (Kind.BOOLEAN, True, "k=true"),
        (Kind.UNKNOWN, 1, "k=1"),
        (Kind.DATE, dt.date(2026, 1, 1), "k=2026-01-01"),
        (Kind.DATE, "infinity", "k=infinity"),
        (Kind.TIMESTAMP, "2026-01-01 01:02:03.5", "k=2026-01-01 01%3A02%3A03.5"),
        (
            Kind.TIMESTAMP,
            MIDNIGHT.replace(hour=1, minute=2, second=3, microsecond=500_000),
            "k=2026-01-01 01%3A02%3A03.5",
        ),
        (Kind.TIMESTAMP, "2026-01-01 01:02:03.000000000", "k=2026-01-01 01%3A02%3A03"),
        (Kind.TIMESTAMP_TZ, "2026-01-01 01:02:03.5+00", "k=2026-01-01 01%3A02%3A03.5+00%3A00"),
        (Kind.UNKNOWN, MIDNIGHT.replace(microsecond=10), "k=2026-01-01 00%3A00%3A00.00001"),
        (Kind.TIMESTAMP, "infinity", "k=infinity"),
        (Kind.TIME, "01:02:03", "k=01%3A02%3A03"),
    ],
)
def test_folder(kind: Kind, value: Any, expected: str) -> None:
    """A folder is named as Spark names it: values as csv has them, NULL apart, timestamps with a space."""
    assert folder(kind, value) == expected


@given(st.text(min_size=1), st.text(min_size=1))
def test_no_two_values_have_one_folder(first: str, second: str) -> None:
    """Other values are in other folders, each of one level."""
    assert (folder(Kind.TEXT, first) == folder(Kind.TEXT, second)) == (first == second)
    assert "/" not in folder(Kind.TEXT, first)


def test_several_columns() -> None:
    """There is a level for each column, in the order that was asked for; the file has the others."""
    columns = [Column("day", Kind.DATE), NUMBER, Column("a/b", Kind.TEXT)]
    layout = Layout(columns, ["a/b", "day"], keep=False)
    row = ("2026-01-01", 5, None)
    values = layout.values_of(row)
    assert layout.folder(values) == "a%2Fb=__HIVE_DEFAULT_PARTITION__/day=2026-01-01"
    assert layout.named(values) == {"a/b": None, "day": "2026-01-01"}
    assert (layout.file_columns, list(layout.file_row(row))) == ((NUMBER,), [5])
    kept = Layout(columns, ["day"], keep=True)
    assert (list(kept.file_columns), list(kept.file_row(row))) == (columns, list(row))


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        (Kind.TEXT, "", "column 'k' holds '', which readers of the folder would take for NULL"),
        (Kind.TEXT, "__HIVE_DEFAULT_PARTITION__", "'__HIVE_DEFAULT_PARTITION__', which readers"),
        (Kind.UNKNOWN, 1.5, "column 'k' holds a float, which is no name of a folder"),
        (Kind.UNKNOWN, b"x", "column 'k' holds a bytes"),
        (Kind.UNKNOWN, memoryview(b"x"), "column 'k' holds a memoryview"),
        (Kind.TEXT, [1], "column 'k' holds a list"),
    ],
)
def test_values_without_a_folder(kind: Kind, value: Any, message: str) -> None:
    """What a reader would take for something else is refused; the error names the column and what to do."""
    with pytest.raises(OSSInvalidArgument, match=message):
        folder(kind, value)


@pytest.mark.parametrize(
    ("columns", "partition_by", "message"),
    [
        ([Column("k", Kind.FLOAT), NUMBER], ["k"], "column 'k' is float, which is no name of a folder"),
        ([Column("k", Kind.BYTES, "bytea"), NUMBER], ["k"], "column 'k' is bytea"),
        ([Column("k", Kind.DATE, is_array=True), NUMBER], ["k"], r"column 'k' is date\[\]"),
        ([NUMBER], ["k"], "partition_by names 'k', but exported are only n"),
        ([NUMBER, NUMBER], ["n"], "partition_by names 'n', which is there twice"),
        ([NUMBER, Column("k")], ["n", "n"], "partition_by names 'n', which is there twice"),
        ([NUMBER], ["n"], "partition_by names all columns"),
    ],
)
def test_columns_without_a_folder(columns: list[Column], partition_by: list[str], message: str) -> None:
    """A column that cannot be in a folder's name is refused by name, whatever its values are."""
    with pytest.raises(OSSInvalidArgument, match=message):
        Layout(columns, partition_by, keep=False)


@pytest.mark.parametrize(
    ("key", "partitioned", "piece", "manifest"),
    [
        ("a/b.csv.gz", "a/{partition}/b.csv.gz", "a/{partition}/b-00007.csv.gz", "a/_b-manifest.json"),
        ("b", "{partition}/b", "{partition}/b-00007", "_b-manifest.json"),
        ("a/{partition}/c/b.csv", "a/{partition}/c/b.csv", "a/{partition}/c/b-00007.csv", "a/c/_b-manifest.json"),
        ("a/p-{index}.csv", "a/{partition}/p-{index}.csv", "a/{partition}/p-00007.csv", "a/_p-manifest.json"),
    ],
)  # fmt: skip
def test_keys(key: str, partitioned: str, piece: str, manifest: str) -> None:
    """The folders are where the key says, else before the name; the manifest is above them, and hidden from readers."""
    assert partitioned_key(key) == partitioned
    assert piece_key(partitioned, 7) == piece
    assert manifest_key(partitioned) == manifest
    assert "{partition}" not in above_partitions(partitioned)


@pytest.mark.parametrize("key", ["a-{partition}/b", "a/{partition}", "{partition}.csv", "{partition}/{partition}/a"])
def test_places_that_are_no_folder(key: str) -> None:
    """The folders stand in place of one whole folder of the key."""
    with pytest.raises(OSSInvalidArgument, match="must be one folder of it"):
        partitioned_key(key)


@pytest.mark.parametrize("manifest", ["a/k=1/b.csv", "a/k=x\n/b.csv", "a/k=1/l=2/b.csv"])
def test_manifest_among_the_rows(manifest: str) -> None:
    """A manifest that could be the object of a partition is refused."""
    with pytest.raises(OSSInvalidArgument, match="is the key of exported rows too"):
        check_keys("a/{partition}/b.csv", manifest, is_split=False)
    check_keys("a/{partition}/b.csv", "a/b.csv", is_split=False)


@pytest.mark.parametrize(
    ("key", "expected"), [("a/b.csv", True), ("a.b/c", False), ("a/b.{index}", False), ("a.", False)]
)
def test_endings(key: str, *, expected: bool) -> None:
    """A name with an ending is told from one without."""
    assert has_ending(key) == expected
