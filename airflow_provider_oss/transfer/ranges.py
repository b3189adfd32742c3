"""Sets of part numbers as short text: ``1-57,60``. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import Final

MAX_RANGES: Final = 64
"""More ranges than this are left out of the text, so that a checkpoint stays small: a hint may say too little."""


class PartRanges:
    """A growing set of part numbers, kept as ascending ranges that do not touch."""

    def __init__(self, numbers: Iterable[int] = ()) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        for number in numbers:
            self.add(number)

    def add(self, number: int) -> bool:
        """Add a number and return whether it is new; one that is there already changes nothing."""
        at = bisect_right(self._firsts, number)
        if at and number <= self._lasts[at - 1]:
            return False
        joins_left = at > 0 and self._lasts[at - 1] == number - 1
        joins_right = at < len(self._firsts) and self._firsts[at] == number + 1
        if joins_left and joins_right:
            self._lasts[at - 1] = self._lasts.pop(at)
            del self._firsts[at]
        elif joins_left:
            self._lasts[at - 1] = number
        elif joins_right:
            self._firsts[at] = number
        else:
            self._firsts.insert(at, number)
            self._lasts.insert(at, number)
        return True

    def as_text(self) -> str:
        """Return the first MAX_RANGES ranges as text; no text for no numbers."""
        pairs = zip(self._firsts[:MAX_RANGES], self._lasts[:MAX_RANGES], strict=True)
        return ",".join(f"{first}-{last}" if last > first else f"{first}" for first, last in pairs)


def parse_ranges(text: str, highest: int) -> frozenset[int]:
    """Return the numbers from 1 to ``highest`` that ``text`` names. Raises ValueError when it is no such text."""
    return frozenset(_numbers(text, highest)) if text else frozenset()


def _numbers(text: str, highest: int) -> Iterator[int]:
    for item in text.split(","):
        first, _, last = item.partition("-")
        yield from range(max(1, int(first)), min(int(last or first), highest) + 1)
