"""What is claimed of a measure, and the verdict: no more than before, inside the spread, is a tie. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.ways.spread import Spread


@dataclass(frozen=True, slots=True)
class Target:
    """A limit of what is measured afterwards: in times what it was before, or in the measure's own unit."""

    limit: float
    is_of_before: bool = True
    is_least: bool = False
    allowance: float = 0.0
    """What it may be beside that, in the measure's unit."""

    def __str__(self) -> str:
        allowance = f" + {self.allowance:g}" if self.allowance else ""
        return f"{'>=' if self.is_least else '<='} {self.limit:g}{' x' if self.is_of_before else ''}{allowance}"

    def verdict(self, before: Spread, after: Spread) -> str:
        """
        Return "met" or "MISSED" by the medians.

        Where it is to be at most what it was, ranges that overlap are a "tie"; an improvement has to show.
        """
        if self._is_met(before["median"], after["median"]):
            return "met"
        is_to_stay = self.is_of_before and self.limit >= 1
        return "tie" if is_to_stay and after["lowest"] <= before["highest"] else "MISSED"

    def _is_met(self, before: float, after: float) -> bool:
        limit = (self.limit * before if self.is_of_before else self.limit) + self.allowance
        return after >= limit if self.is_least else after <= limit


def at_most_of_before(times: float, allowance: float = 0.0) -> Target:
    """Return the claim that it takes at most so many times what it took before, and an allowance."""
    return Target(times, allowance=allowance)


def at_most(limit: float) -> Target:
    """Return the claim that it is at most so much, whatever it was before."""
    return Target(limit, is_of_before=False)


def at_least(limit: float) -> Target:
    """Return the claim that it is at least so much, whatever it was before."""
    return Target(limit, is_of_before=False, is_least=True)
