"""
The table of hostile exchanges: what the server does, at which calls, and the one outcome of each. Pure data.

``test_exchanges`` plays every row over http and https; docs/hostile_server.md shows the same table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from tests.hostile.bucket import Answer
from tests.hostile.outcomes import BAD, CALLS, Call, Outcome
from tests.hostile.script import Script, Send, Step
from tests.hostile.server import Request

Writer: TypeAlias = Callable[[Answer, Request], Script]
"""Makes the script of the right answer to a request, and of the request."""

Outcomes: TypeAlias = Mapping[tuple[Call, ...], Outcome]
"""What becomes of a try at each of the calls."""

BOTH: Final = ("http", "https")


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that a server does."""

    title: str
    write: Writer
    outcomes: Outcomes
    is_dropped: bool = False
    """The connection must not be used again. It never is after an answer that is malformed, breaks off or is late."""
    is_slow: bool = False
    """A timeout is waited for: the call is given a short one."""
    schemes: tuple[str, ...] = BOTH
    is_circle: bool = False
    """The server goes on as long as it is asked; the call must give up after a few requests."""

    def outcome(self, call: Call) -> Outcome:
        """Return what becomes of a try at the call."""
        return next(outcome for calls, outcome in self.outcomes.items() if call in calls)

    @property
    def calls(self) -> tuple[Call, ...]:
        """All calls it is played at."""
        return tuple(call for calls in self.outcomes for call in calls)


def answering(change: Callable[[Answer], Answer | bytes], *after: Send | Step) -> Writer:
    """Read the request, then send the changed answer in one packet; then what follows."""

    def write(right: Answer, _: Request) -> Script:
        changed = change(right)
        return (Step.READ_BODY, Send(changed if isinstance(changed, bytes) else changed.raw), *after)

    return write


def malformed(
    title: str, change: Callable[[Answer], Answer | bytes], *after: Step, calls: tuple[Call, ...] = CALLS
) -> Row:
    """Return a row whose answer cannot be trusted, whatever was asked."""
    return Row(title, answering(change, *after), {calls: BAD}, is_dropped=True)
