"""The values of one measure in all rounds, as plain data and as text. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median

Spread = dict[str, float]
"""What ``spread`` returns."""


def spread(values: Iterable[float]) -> Spread:
    """Return median, lowest and highest."""
    known = list(values)
    return {"median": median(known), "lowest": min(known), "highest": max(known)}


def cell(values: Spread, digits: int = 2) -> str:
    """Return a spread as a cell of a table: the median, and the range behind it."""
    return f"{values['median']:.{digits}f} ({values['lowest']:.{digits}f}-{values['highest']:.{digits}f})"
