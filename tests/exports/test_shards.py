"""The shards of an export: every value in one, and parameters that go together."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.exports.formats import manifest_key, piece_key, shard_manifest_key, sharded_key
from airflow_provider_oss.exports.shards import QueryShard, between, closed_ranges, numbered


@given(st.integers(), st.integers(0, 500), st.integers(1, 60))
def test_every_value_is_in_one_range(first: int, width: int, count: int) -> None:
    """Ranges follow each other without a gap, have both ends, and are about equally wide."""
    ranges = closed_ranges(first, first + width, count)
    assert [value for begin, end in ranges for value in range(begin, end + 1)] == list(range(first, first + width + 1))
    widths = {end - begin for begin, end in ranges}
    assert len(ranges) == min(count, width + 1)
    assert max(widths) - min(widths) <= 1


@pytest.mark.parametrize(
    ("least", "most", "count", "expected"),
    [
        (1, 10, 2, [(1, 5), (6, 10)]),
        (7, 7, 8, [(7, 7)]),
        (Decimal(1), Decimal(4), 2, [(1, 2), (3, 4)]),
        ("2026-01-30", "2026-02-02", 2, [("2026-01-30", "2026-01-31"), ("2026-02-01", "2026-02-02")]),
        (dt.date(2026, 1, 1), dt.date(2026, 1, 1), 2, [("2026-01-01", "2026-01-01")]),
        (None, None, 8, [(None, None)]),
    ],
)
def test_ranges_of_what_databases_return(least: Any, most: Any, count: int, expected: list[tuple[Any, Any]]) -> None:
    """Whole numbers and dates become plain data; a table without rows is one shard without any."""
    shards = between(least, most, count)
    assert [(shard["parameters"]["first"], shard["parameters"]["last"]) for shard in shards] == expected
    assert [shard["index"] for shard in shards] == list(range(len(expected)))
    assert json.loads(json.dumps(shards)) == shards


@pytest.mark.parametrize(
    ("least", "most", "message"),
    [
        (1, None, "neither a whole number nor a date"),
        (1.5, 2.5, "bounds returned 1.5, which is neither a whole number nor a date"),
        (Decimal("0.5"), 1, "neither a whole number"),
        (Decimal("1.00"), Decimal("9.00"), "less than last [+] 1"),
        (2, 1, "the greatest value first"),
        ("2026-01-02", "2026-01-01", "the greatest value first"),
        (Decimal("NaN"), 1, "neither a whole number"),
        (True, False, "neither a whole number"),
        ("a", "b", "neither a whole number"),
        (dt.datetime(2026, 1, 1, tzinfo=dt.UTC), dt.datetime(2026, 1, 2, tzinfo=dt.UTC), "neither a whole number"),
        ("2026-13-01", "2026-12-01", "bounds returned '2026-13-01', which is no date"),
        ("2026-01-01", 5, "give two whole numbers, or two dates"),
    ],
)
def test_ends_of_no_range(least: Any, most: Any, message: str) -> None:
    """What cannot be cut without a gap is refused, and the error says what to do."""
    with pytest.raises(OSSInvalidArgument, match=message):
        between(least, most, 4)


@pytest.mark.parametrize(
    ("parameters", "own", "expected"),
    [
        (None, {"first": 1}, {"first": 1}),
        ({}, [1], [1]),
        ({"day": "x"}, {"first": 1}, {"day": "x", "first": 1}),
        (["x"], [1, 2], ["x", 1, 2]),
    ],
)
def test_parameters_go_together(parameters: Any, own: Any, expected: Any) -> None:
    """The query has its own parameters and those of the shard."""
    assert QueryShard.parse({"index": 0, "parameters": own}).added_to(parameters) == expected


@pytest.mark.parametrize(
    ("parameters", "own", "message"),
    [
        ({"first": 1}, {"first": 2}, "parameters has 'first', and so has each shard"),
        ([1], {"first": 2}, "must both be mappings, or both lists"),
        ({"day": 1}, [2], "must both be mappings, or both lists"),
    ],
)
def test_parameters_that_do_not(parameters: Any, own: Any, message: str) -> None:
    """No parameter goes before another of its name."""
    with pytest.raises(OSSInvalidArgument, match=message):
        QueryShard(0, own).added_to(parameters)


@pytest.mark.parametrize(
    "given_shard", [{}, {"index": -1, "parameters": {}}, {"index": True, "parameters": {}}, {"index": 0}]
)
def test_what_is_no_shard(given_shard: dict[str, Any]) -> None:
    """Only what was planned is taken."""
    with pytest.raises(OSSInvalidArgument, match="nothing that SQLPlanExportOperator returns"):
        QueryShard.parse(given_shard)


def test_a_list_of_parameters() -> None:
    """Each item is one shard; an item that is no parameters is named."""
    assert numbered([{"a": 1}, [2]]) == [{"index": 0, "parameters": {"a": 1}}, {"index": 1, "parameters": [2]}]
    with pytest.raises(OSSInvalidArgument, match="shards: item 1 is neither"):
        numbered([{}, "a"])


@pytest.mark.parametrize("is_split", [False, True])
@pytest.mark.parametrize(
    ("key", "one", "manifest"),
    [
        ("a/b.csv.gz", "a/b-00003.csv.gz", "a/_b-00003-manifest.json"),
        ("a/{index}.csv", "a/00003.csv", "a/_00003-manifest.json"),
        ("a/{partition}/b.csv", "a/{partition}/b-00003.csv", "a/_b-00003-manifest.json"),
    ],
)
def test_keys(key: str, one: str, manifest: str, *, is_split: bool) -> None:
    """The number of the shard is in all of its keys, that of a piece behind it; no manifest is in another's place."""
    sharded = sharded_key(key, 3, is_split=is_split)
    assert sharded == (one.replace("00003", "00003-{index}") if is_split else one)
    assert piece_key(sharded, 7) != piece_key(sharded_key(key, 4, is_split=is_split), 7)
    assert shard_manifest_key(sharded) == manifest
    assert manifest_key(key) not in {manifest, shard_manifest_key(sharded_key(key, 4, is_split=is_split))}
