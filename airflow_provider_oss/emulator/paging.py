"""One page of a sorted listing, with common prefixes rolled up. Pure."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Entry:
    """A name of the listing at its ``position``, or a common prefix (position None)."""

    name: str
    position: int | None


@dataclass(frozen=True, slots=True)
class Page:
    """Entries in order, and whether more follow."""

    entries: tuple[Entry, ...]
    truncated: bool

    @property
    def last_name(self) -> str:
        """The last entry's name, "" for an empty page."""
        return self.entries[-1].name if self.entries else ""


def page(names: Sequence[str], *, start: int, prefix: str, delimiter: str, after: str, limit: int) -> Page:
    """
    At most ``limit`` entries of the sorted ``names`` from position ``start`` on, of those that begin with ``prefix``.

    Names that have ``delimiter`` after the prefix are one common prefix, left out when it equals ``after``: then it
    ended the page before.
    """
    position = max(start, bisect_left(names, prefix))
    entries: list[Entry] = []
    while position < len(names) and names[position].startswith(prefix):
        name = names[position]
        entry, following = Entry(name, position), position + 1
        cut = name.find(delimiter, len(prefix)) if delimiter else -1
        if cut >= 0:
            group = name[: cut + len(delimiter)]
            entry, following = Entry(group, None), _end_of_group(names, group, position)
            if group == after:
                position = following
                continue
        if len(entries) == limit:
            return Page(tuple(entries), truncated=True)
        entries.append(entry)
        position = following
    return Page(tuple(entries), truncated=False)


def _end_of_group(names: Sequence[str], group: str, position: int) -> int:
    last = ord(group[-1])
    if last < 0x10FFFF:  # noqa: PLR2004 - the last code point has no successor
        return bisect_left(names, group[:-1] + chr(last + 1), position)
    while position < len(names) and names[position].startswith(group):
        position += 1
    return position
