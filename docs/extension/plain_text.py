"""Docstrings, which are plain text with ``literals`` and names of classes, as reStructuredText."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

_LITERAL: Final = re.compile(r"(``.+?``)", re.DOTALL)
_SPECIAL: Final = re.compile(r"([\\*|`_])")
_NAME: Final = re.compile(r"\b[A-Z]\w+\b")


def as_rest(lines: Sequence[str], names: Mapping[str, str]) -> list[str]:
    """
    Return the lines as reStructuredText that shows exactly this text, lists and indented blocks apart.

    :param names: what becomes a link: names of classes as they are written, and what each is in full.
    """
    pieces = _LITERAL.split("\n".join(lines))
    return "".join(_literal(piece) if odd % 2 else _text(piece, names) for odd, piece in enumerate(pieces)).split("\n")


def _literal(piece: str) -> str:
    return re.sub(r"\s*\n\s*", " ", piece)


def _text(piece: str, names: Mapping[str, str]) -> str:
    escaped = _SPECIAL.sub(r"\\\1", piece)
    escaped = re.sub(r"^(\s*)\\\* ", r"\1* ", escaped, flags=re.MULTILINE)
    return _NAME.sub(lambda found: f":py:obj:`~{names[found[0]]}`" if found[0] in names else found[0], escaped)
