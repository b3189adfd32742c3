"""Rows as Arrow has them: cut without a copy, and stored as another type only where no value changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, Self

_DAY_MICROSECONDS: Final = 86_400_000_000
_FIRST_DAY: Final = -719_162
_LAST_DAY: Final = 2_932_896
_INFINITIES: Final = {
    sign * (2**bits - 1): word for bits in (31, 63) for sign, word in ((1, "infinity"), (-1, "-infinity"))
}


class ArrowRows:
    """Rows that come in record batches of a database's choice, handed out as tables of any number of rows."""

    def __init__(self, batches: Iterator[Any], indices: Sequence[int] | None = None) -> None:
        self._batches = batches
        self._indices = indices
        self._left: Any = None

    def select(self, indices: Sequence[int]) -> Self:
        """Return the rows with the columns at these places only; the rows are to be read from what is returned."""
        return type(self)(self._batches, indices)

    def has_more(self) -> bool:
        """Whether there is another row."""
        while not self._left:
            batch = next(self._batches, None)
            if batch is None:
                return False
            self._left = batch if self._indices is None else batch.select(self._indices)
        return True

    def take(self, count: int) -> Any:
        """Return the next rows as a table: so many, and fewer at the end."""
        import pyarrow as pa

        taken, rows = [], 0
        while rows < count and self.has_more():
            taken.append(self._left.slice(0, count - rows))
            self._left = self._left.slice(len(taken[-1]))
            rows += len(taken[-1])
        return pa.Table.from_batches(taken) if taken else []


def stored_as(values: Any, arrow_type: Any) -> Any:
    """
    Return the values in the type.

    Raises ArrowException or ValueError when one would change, or is outside of what the field's readers hold:
    ``infinity``, years beyond 9999, ``24:00:00``.
    """
    import pyarrow.compute as pc

    found = values.cast(arrow_type)
    bounds = _bounds(arrow_type)
    if bounds is not None:
        extremes = pc.min_max(found)
        least, most = extremes["min"].value, extremes["max"].value
        if least is not None and not bounds[0] <= least <= most <= bounds[1]:
            raise ValueError("it is outside of what the type holds")
    return found


def scalar_text(scalar: Any) -> str:
    """Return a value for a message."""
    import pyarrow as pa

    word = _INFINITIES.get(getattr(scalar, "value", None))
    return word or str(scalar.cast(pa.string()))


def _bounds(arrow_type: Any) -> tuple[int, int] | None:
    """Return the least and the largest value of a day, a time of day or a timestamp in microseconds."""
    import pyarrow as pa

    if pa.types.is_date32(arrow_type):
        return _FIRST_DAY, _LAST_DAY
    if pa.types.is_time64(arrow_type):
        return 0, _DAY_MICROSECONDS - 1
    if pa.types.is_timestamp(arrow_type):
        return _FIRST_DAY * _DAY_MICROSECONDS, (_LAST_DAY + 1) * _DAY_MICROSECONDS - 1
    return None
