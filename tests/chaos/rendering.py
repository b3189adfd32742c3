"""The outcome table, and that of all kinds of transfers, as Markdown, for docs/faults.md. Pure."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from itertools import groupby
from typing import Final, TypeAlias

from tests.chaos.kinds import KINDS
from tests.chaos.outcomes import CALLS, FAULTS, Call, Outcome, Row, Verdict, rows

BEGIN: Final = "<!-- outcomes:begin -->"
END: Final = "<!-- outcomes:end -->"

KINDS_BEGIN: Final = "<!-- kinds:begin -->"
KINDS_END: Final = "<!-- kinds:end -->"

Group: TypeAlias = tuple[tuple[Call, ...], Outcome, Outcome]

_HEAD: Final = "| what goes wrong | at | once | throughout the attempt |\n|---|---|---|---|"


def rendered() -> str:
    """Return the table: faults with the same outcomes share their rows, and so do calls."""
    lines = [_HEAD]
    for groups, same in groupby(((_groups(fault), fault) for fault in FAULTS), key=lambda pair: pair[0]):
        title = "; ".join(FAULTS[fault] for _, fault in same)
        for calls, once, always in groups:
            always_text = "the same" if always == once else _words(always)
            lines.append(f"| {title} | {_names(calls, groups)} | {_words(once)} | {always_text} |")
            title = ""
    return "\n".join(lines)


_KINDS_HEAD: Final = "| kind | calls at which each fault is played | what its source does wrong |\n|---|---|---|"


def rendered_kinds() -> str:
    """Return the table of the kinds of transfers."""
    lines = [_KINDS_HEAD]
    for kind in KINDS:
        what = inspect.getdoc(kind) or ""
        faults = ", ".join(kind.source_faults) or "-"
        lines.append(
            f"| `{kind.name}`: {what[:1].lower()}{what[1:].rstrip('.')} | {', '.join(kind.calls)} | {faults} |"
        )
    return "\n".join(lines)


def _groups(fault: str) -> tuple[Group, ...]:
    """Return the calls that the fault can meet, those with equal outcomes together, the largest group first."""
    by_outcome: dict[tuple[Outcome, Outcome], list[Call]] = {}
    for row in _rows_of(fault):
        by_outcome.setdefault((row.once, row.always), []).append(row.call)
    groups = [(tuple(calls), once, always) for (once, always), calls in by_outcome.items()]
    return tuple(sorted(groups, key=lambda group: -len(group[0])))


def _rows_of(fault: str) -> Iterator[Row]:
    return (row for row in rows() if row.fault == fault and row.once.verdict is not Verdict.NEVER)


def _names(calls: tuple[Call, ...], groups: tuple[Group, ...]) -> str:
    met = sum(len(group[0]) for group in groups)
    if len(calls) == len(CALLS):
        return "every call"
    if len(calls) > 5 and met == len(CALLS):
        return "every other call"
    return ", ".join(call.name for call in calls)


def _words(outcome: Outcome) -> str:
    words = {
        Verdict.REPEATED: "succeeds",
        Verdict.NEXT: f"`{outcome.error}`, next attempt",
        Verdict.FAILS: f"`{outcome.error}`, for good",
    }[outcome.verdict]
    return f"{words}: {outcome.remark}" if outcome.remark else words
