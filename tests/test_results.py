"""What tasks return: the keys that DAGs use stay, and whatever a result is, it can be shown and stored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss.model import PlainResult, Result
from tests.support.results import kinds, sample
from tests.support.source_text import occurrences

KEYS = Path(__file__).with_name("result_keys.json")
EVERY = pytest.mark.parametrize("name", sorted(kinds()))


def shape(value: Any) -> Any:
    """Return the keys of mappings, also within, and the types of all else."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [shape(item) for item in value]
    return type(value).__name__


@EVERY
def test_keys_stay(name: str) -> None:
    """
    A result has the keys, and within them the types, that it had when it was written down.

    To add one, add it to the file; a key that is there stays.
    """
    assert shape(sample(kinds()[name]).as_dict()) == json.loads(KEYS.read_text("utf-8"))[name]


def test_all_are_written_down() -> None:
    """The file has every kind of result, and no other."""
    assert json.loads(KEYS.read_text("utf-8")).keys() == kinds().keys()


@EVERY
def test_plain_data(name: str) -> None:
    """The data is what JSON has, and the line is one line."""
    result = sample(kinds()[name])
    json.dumps(result.as_dict())
    assert result.describe()
    assert "\n" not in result.describe()


def test_what_is_plain_already() -> None:
    """Data that needs no class of its own is returned as it is."""
    result: Result = PlainResult(["oss://bucket/a"], "Found 1 object")
    assert (result.as_dict(), result.describe(), result.has_failures) == (["oss://bucket/a"], "Found 1 object", False)
    result.raise_failures()


def test_one_home() -> None:
    """What becomes of a result is decided by the operators' base alone; only kinds of Result make such data."""
    assert occurrences(r"\.describe\(\)") == {"operators/base.py"}
    makers = {f"{kind.__module__.partition('.')[2].replace('.', '/')}.py" for kind in kinds().values()}
    assert occurrences(r"def as_dict\(") <= makers
