"""The table of hostile exchanges as Markdown, for docs/hostile_server.md. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, groupby, repeat
from typing import Final, TypeAlias

from tests.hostile.exchanges import BOTH, Row
from tests.hostile.outcomes import BODIES, CALLS, DOCUMENTS, SENDING, Call, Outcome
from tests.hostile.rows import SECTIONS

BEGIN: Final = "<!-- exchanges:begin -->"
END: Final = "<!-- exchanges:end -->"

Cells: TypeAlias = tuple[tuple[str, str], ...]
"""Calls and what becomes of them, in words."""

_HEAD: Final = "| what the server does | at | one try ends with |\n|---|---|---|"
_GROUPS: Final = {
    CALLS: "every call",
    BODIES: "what reads an object",
    DOCUMENTS: "what reads a document",
    SENDING: "what sends 16 MiB",
}


def rendered() -> str:
    """Return the table: neighbours that end alike at the same calls share a row."""
    lines = [_HEAD]
    for section, rows in SECTIONS.items():
        lines.append(f"| **{section}** | | |")
        for titles, cells in _merged(rows):
            shown = chain((titles,), repeat(""))
            lines += [f"| {title} | {at} | {words} |" for title, (at, words) in zip(shown, cells, strict=False)]
    return "\n".join(lines)


def _merged(rows: tuple[Row, ...]) -> list[tuple[str, Cells]]:
    return [("; ".join(_titles(same)), cells) for cells, same in groupby(rows, key=_cells)]


def _titles(rows: Iterable[Row]) -> Iterator[str]:
    """Yield titles; "kind: one" and "kind: other" become one."""
    for kind, same in groupby(rows, key=lambda row: row.title.partition(": ")[0]):
        details = ", ".join(detail for row in same if (detail := row.title.partition(": ")[2]))
        yield f"{kind}: {details}".removesuffix(": ").replace("|", "\\|")


def _cells(row: Row) -> Cells:
    only = "" if row.schemes == BOTH else f", over {row.schemes[0]}"
    return tuple((_names(calls) + only, _words(outcome)) for calls, outcome in row.outcomes.items())


def _names(calls: tuple[Call, ...]) -> str:
    return _GROUPS.get(calls) or ", ".join(call.name for call in calls)


def _words(outcome: Outcome) -> str:
    if outcome.is_undetected:
        return outcome.remark
    words = " or ".join(f"`{error}`" for error in outcome.errors) or "the right result"
    if outcome.errors:
        words += ", repeated" if outcome.may_pass else ""
    return f"{words}: {outcome.remark}" if outcome.remark else words
