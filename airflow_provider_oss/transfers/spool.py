"""
Rows that wait on the worker's disk: for all others that decide what the columns hold, or for those of their partition.

They are in temporary files without a name, in the folder that ``TMPDIR`` names: nothing of them is left when the
process ends, however that happens. One batch is in memory at a time.
"""

from __future__ import annotations

import copyreg
import pickle
import tempfile
from collections import OrderedDict, defaultdict
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import chain, groupby
from typing import Any, Final, TypeAlias, cast

from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.exports.columns import Batch, Batches, Column, Kind, Observed, Row
from airflow_provider_oss.exports.partitions import Layout, Values
from airflow_provider_oss.shown import a_type

DEFAULT_OPEN_PARTITIONS: Final = 100

_Partitions: TypeAlias = Generator[tuple[Values, Iterator[Row]]]


class RowFile:
    """Rows in a temporary file, written, then read once."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close

    def close(self) -> None:
        """Leave nothing of it."""
        self._file.close()

    def append(self, columns: Sequence[Sequence[Any]]) -> None:
        """Append rows, given column by column. Raises OSSInvalidArgument for a value that cannot be kept."""
        pickler = pickle.Pickler(self._file, pickle.HIGHEST_PROTOCOL)
        pickler.dispatch_table = cast("Any", {**copyreg.dispatch_table, memoryview: _as_bytes})
        try:
            pickler.dump(columns)
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            raise OSSInvalidArgument(
                f"a value cannot be kept in a temporary file ({a_type(error)}: {error}): convert it in the query (CAST)"
            ) from error

    def rows(self) -> Iterator[Row]:
        """Yield the rows."""
        size_bytes = self._file.tell()
        self._file.seek(0)
        while self._file.tell() < size_bytes:
            columns: Sequence[Sequence[Any]] = pickle.load(self._file)  # noqa: S301 - a file that nobody else can reach
            yield from zip(*columns, strict=True)


def _as_bytes(view: memoryview) -> tuple[type[bytes], tuple[bytes]]:
    return bytes, (view.tobytes(),)


@contextmanager
def with_known_types(columns: Sequence[Column], batches: Batches) -> Iterator[tuple[tuple[Column, ...], Iterator[Row]]]:
    """
    Yield the columns, each of a known kind that holds all of its values, and the rows, to be read once.

    When the database has declared all kinds, the rows are passed on as they come. Otherwise all of them are read
    first, into a temporary file.
    """
    observed = {index: Observed(column) for index, column in enumerate(columns) if column.kind is Kind.UNKNOWN}
    if not observed:
        yield tuple(columns), chain.from_iterable(batches)
        return
    with closing(RowFile()) as file:
        for batch in batches:
            values = enumerate(zip(*batch, strict=True))
            file.append([observed[index].take(each) if index in observed else each for index, each in values])
        known = [observed[index].column() if index in observed else column for index, column in enumerate(columns)]
        yield tuple(known), file.rows()


def by_partition(layout: Layout, batches: Batches, most_open: int) -> _Partitions:
    """
    Yield each partition and its rows, which have to be read before the next one is asked for; each partition once.

    With ``most_open=1`` rows are passed on as they come, so those of a partition must follow each other. Else so many
    partitions wait for more rows, each in a temporary file; when there is one more, that which has waited longest is
    yielded. Raises OSSInvalidArgument for rows of a partition that was yielded before.
    """
    begun = _Begun(layout, most_open)
    return _as_they_come(layout, batches, begun) if most_open == 1 else _sorted_out(layout, batches, begun, most_open)


class _Begun:
    """The partitions that were begun: none may be begun again."""

    def __init__(self, layout: Layout, most_open: int) -> None:
        self._layout = layout
        self._most_open = most_open
        self._all: set[Values] = set()

    def add(self, values: Values) -> None:
        """Add one that begins. Raises OSSInvalidArgument when it was begun before."""
        if values in self._all:
            names = ", ".join(column.name for column in self._layout.columns)
            raise OSSInvalidArgument(
                f"there are more rows of {self._layout.folder(values)}, whose file was ended to begin that of another "
                f"partition (max_open_partitions={self._most_open}): ORDER BY {names} in the query, or raise "
                "max_open_partitions"
            )
        self._all.add(values)


def _as_they_come(layout: Layout, batches: Batches, begun: _Begun) -> _Partitions:
    for values, rows in groupby(chain.from_iterable(batches), layout.values_of):
        begun.add(values)
        yield values, rows


def _sorted_out(layout: Layout, batches: Batches, begun: _Begun, most_open: int) -> _Partitions:
    waiting: OrderedDict[Values, RowFile] = OrderedDict()
    try:
        for batch in batches:
            for values, rows in _grouped(layout, batch).items():
                if values not in waiting:
                    begun.add(values)
                    waiting[values] = RowFile()
                waiting[values].append(list(zip(*rows, strict=True)))
                waiting.move_to_end(values)
                if len(waiting) > most_open:
                    yield from _first_of(waiting)
        while waiting:
            yield from _first_of(waiting)
    finally:
        for file in waiting.values():
            file.close()


def _grouped(layout: Layout, batch: Batch) -> dict[Values, list[Row]]:
    found: defaultdict[Values, list[Row]] = defaultdict(list)
    for row in batch:
        found[layout.values_of(row)].append(row)
    return found


def _first_of(waiting: OrderedDict[Values, RowFile]) -> _Partitions:
    values, file = waiting.popitem(last=False)
    with closing(file):
        yield values, file.rows()
