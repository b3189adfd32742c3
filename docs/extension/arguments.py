"""What an operator, a sensor, a class or a function is given, as a table made of signature and docstrings."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from docs.extension.plain_text import as_rest

_PARAMETER: Final = re.compile(r"^:param (\w+): ((?:.*\n?)(?:(?:[ \t]+.*)?\n?)*)", re.MULTILINE)
_ELSEWHERE: Final = re.compile(
    r"(?:(?<=[.])\s+|^\s*)For\s[^.]*?\bsee\s+OSS\w*Base\w*(?:[^.;`]|;\s+they\b)*[.]", re.MULTILINE
)
"""What a docstring says for those who read the source: a table has the arguments of all bases."""
_PASSED_ON: Final = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument as its docstring describes it."""

    name: str
    kind: str
    """Its type, without what every templated argument takes beside it."""
    default: str
    text: str


def without_parameters(lines: Sequence[str]) -> list[str]:
    """Return a docstring's lines without the description of parameters, and without where to find the others."""
    text = _PARAMETER.sub("", "\n".join(lines))
    return _ELSEWHERE.sub("", text).split("\n")


def arguments_of(documented: Any) -> list[Argument]:
    """Return the arguments that are described, its own before those of bases."""
    texts = _descriptions(documented)
    try:
        parameters = inspect.signature(documented).parameters.values()
    except (TypeError, ValueError):
        return []
    found = {each.name: each for each in parameters if each.name in texts and each.kind not in _PASSED_ON}
    return [
        Argument(name, _kind(found[name]), _default(found[name]), text) for name, text in texts.items() if name in found
    ]


def table_of(documented: Any, names: Mapping[str, str]) -> list[str]:
    """Return the lines of a table of the arguments; none when none is described."""
    arguments = arguments_of(documented)
    return [*_HEAD, *(line for each in arguments for line in _row(each, names)), ""] if arguments else []


_HEAD: Final = (
    "", ".. list-table::", "   :header-rows: 1", "   :class: arguments", "",
    "   * - Argument", "     - Meaning",
)  # fmt: skip


def _row(argument: Argument, names: Mapping[str, str]) -> Iterator[str]:
    yield f"   * - ``{argument.name}``"
    yield ""
    default = f", default ``{argument.default}``" if argument.default else ", required"
    yield f"       :sub:`{as_rest([argument.kind], {})[0]}`{default}" if argument.kind else f"       {default[2:]}"
    yield f"     - {as_rest([argument.text], names)[0]}"


def _descriptions(documented: Any) -> dict[str, str]:
    classes = documented.__mro__ if isinstance(documented, type) else (documented,)
    found: dict[str, str] = {}
    for each in classes:
        text = inspect.cleandoc(vars(each).get("__doc__") or "") if isinstance(each, type) else inspect.getdoc(each)
        for name, description in _PARAMETER.findall(text or ""):
            found.setdefault(name, " ".join(description.split()))
    return found


def _kind(parameter: inspect.Parameter) -> str:
    if parameter.annotation is inspect.Parameter.empty:
        return ""
    kind = str(parameter.annotation)
    return re.sub(r" \| XComArg\b", "", kind).replace("Sequence[str | XComArg]", "Sequence[str]")


def _default(parameter: inspect.Parameter) -> str:
    return "" if parameter.default is inspect.Parameter.empty else repr(parameter.default)
