"""
The shards of an export: the same query, each time with parameters of its own, which are plain data fit for XCom.

Those of a range are its closed ends, ``first`` and ``last``: whole numbers, or dates as ISO 8601 texts.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final

from airflow_provider_oss.exceptions import OSSInvalidArgument

_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True, slots=True)
class QueryShard:
    """One of the queries that an export is made of, as it was planned."""

    index: int
    parameters: Any
    """A mapping or a list."""

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> QueryShard:
        """Return what is given as plain data. Raises OSSInvalidArgument for anything else."""
        index, parameters = given.get("index"), given.get("parameters")
        if type(index) is not int or index < 0 or not _are_parameters(parameters):
            raise OSSInvalidArgument("shard is nothing that SQLPlanExportOperator returns: give one of these as it is")
        return cls(index, parameters)

    def added_to(self, parameters: Any) -> Any:
        """Return the query's parameters and the shard's. Raises OSSInvalidArgument where they do not go together."""
        if not parameters:
            return self.parameters
        if isinstance(parameters, Mapping) != isinstance(self.parameters, Mapping):
            raise OSSInvalidArgument("parameters and those of the shards must both be mappings, or both lists")
        if not isinstance(parameters, Mapping):
            return [*parameters, *self.parameters]
        if twice := parameters.keys() & self.parameters:
            raise OSSInvalidArgument(
                f"parameters has {min(twice)!r}, and so has each shard: name one of them otherwise"
            )
        return {**parameters, **self.parameters}


def _are_parameters(given: Any) -> bool:
    return isinstance(given, Mapping | list | tuple)


def numbered(parameters: Sequence[Any]) -> list[dict[str, Any]]:
    """Return the shards with these parameters. Raises OSSInvalidArgument for what are none."""
    for index, own in enumerate(parameters):
        if not _are_parameters(own):
            raise OSSInvalidArgument(f"shards: item {index} is neither a mapping nor a list of parameters")
    return [{"index": index, "parameters": own} for index, own in enumerate(parameters)]


def between(least: Any, most: Any, count: int) -> list[dict[str, Any]]:
    """
    Return so many shards, or fewer, of about equally wide ranges that have every value from ``least`` to ``most`` once.

    Without values, when both are None, there is one. Raises OSSInvalidArgument for ends that are neither whole numbers
    nor dates, or in the wrong order.
    """
    if count < 1:
        raise OSSInvalidArgument(f"shards={count} must be at least 1")
    if least is None and most is None:
        return numbered([{"first": None, "last": None}])
    first, last = _as_date(least), _as_date(most)
    is_date = type(first) is dt.date
    if is_date != (type(last) is dt.date):
        raise OSSInvalidArgument(f"bounds returned {least!r} and {most!r}: give two whole numbers, or two dates (CAST)")
    if is_date:
        days = _ordered_ranges(first.toordinal(), last.toordinal(), count)
        return _named([tuple(dt.date.fromordinal(end).isoformat() for end in each) for each in days])
    return _named(_ordered_ranges(_whole(first), _whole(last), count))


def _named(ranges: Sequence[tuple[Any, ...]]) -> list[dict[str, Any]]:
    shards = numbered([{"first": first, "last": last} for first, last in ranges])
    return [{**shard, "name": f"{first} to {last}"} for shard, (first, last) in zip(shards, ranges, strict=True)]


def _ordered_ranges(first: int, last: int, count: int) -> list[tuple[int, int]]:
    if first > last:
        raise OSSInvalidArgument("bounds returned the greatest value first: give SELECT min(...), max(...)")
    return closed_ranges(first, last, count)


def closed_ranges(first: int, last: int, count: int) -> list[tuple[int, int]]:
    """Return so many ranges of about equal width, both ends included, or one for each number where there are fewer."""
    numbers = last - first + 1
    parts = max(1, min(count, numbers))
    return [(begin, end - 1) for begin, end in pairwise(first + numbers * index // parts for index in range(parts + 1))]


def _as_date(value: Any) -> Any:
    """Return the date that a database has given as text; anything else as it is."""
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        return value
    try:
        return dt.date.fromisoformat(value)
    except ValueError as error:
        raise OSSInvalidArgument(f"bounds returned {value!r}, which is no date: {error}") from error


def _whole(value: Any) -> int:
    """Return the number. A decimal with digits behind its point, even zeros, is of a column that may have fractions."""
    if type(value) is int or (isinstance(value, Decimal) and value.is_finite() and int(value.as_tuple().exponent) >= 0):
        return int(value)
    raise OSSInvalidArgument(
        f"bounds returned {value!r}, which is neither a whole number nor a date: convert it (CAST), and let the query "
        "ask for what is less than last + 1, for its column may have values between two ranges"
    )
