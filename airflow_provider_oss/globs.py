"""The language of globs: which files of a tree, or which keys, are meant. Pure."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.shown import a_type

_Step: TypeAlias = Callable[[str], object] | None
"""What a component of a path must match; None stands for any number of components."""

_ANY_DEPTH: Final = "**"
_WILDCARD: Final = re.compile(r"[*?[]")
_MOST_PREFIXES: Final = 100


class Selection:
    """
    The files that ``include`` names and ``exclude`` does not; without ``include`` all but those.

    A glob is compared with the whole path of a file relative to the directory, with "/" between its components,
    case-sensitively. ``*`` is any text within a component, ``?`` one character, ``[ab]`` and ``[!ab]`` one of, or none
    of, these. A component ``**`` is any number of components, none included; at the end it is everything below. So
    ``*.csv`` are files in the directory itself, ``**/*.csv`` those at any depth, ``logs/**`` all that is below logs,
    and ``logs`` a file of that name. A dot at the beginning of a name is nothing special.

    Raises OSSInvalidArgument for a glob that can match nothing.
    """

    def __init__(self, include: str | Iterable[str] | None = None, exclude: str | Iterable[str] | None = None) -> None:
        named = None if include is None else [include] if isinstance(include, str) else list(include)
        self._include = None if named is None else _globs("include", named)
        self.prefixes = ("",) if named is None else _prefixes(map(literal_prefix, named))
        """What the names of all files that are meant begin with, in order; none of these begins with another."""
        self._exclude = () if exclude is None else _globs("exclude", exclude)

    @property
    def names_files(self) -> bool:
        """Whether ``include`` says that there are some."""
        return self._include is not None

    @property
    def is_everything(self) -> bool:
        """Whether any file is meant."""
        return self._include is None and not self._exclude

    def matches(self, relative: str) -> bool:
        """Whether the file is meant."""
        if self.is_everything:
            return True
        parts = relative.split("/")
        is_included = self._include is None or any(_matches(glob.steps, parts) for glob in self._include)
        return is_included and not any(_matches(glob.steps, parts) for glob in self._exclude)

    def may_match_below(self, relative: str) -> bool:
        """Whether a file in this directory, or below it, may be meant; if not, it need not be looked at."""
        if self.is_everything:
            return True
        parts = relative.split("/")
        is_included = self._include is None or any(_leads_below(glob.steps, parts) for glob in self._include)
        return is_included and not any(glob.holds_all_of(parts) for glob in self._exclude)


def has_wildcard(glob: str) -> bool:
    """Whether the text is more than a name."""
    return _WILDCARD.search(glob) is not None


def literal_prefix(glob: str) -> str:
    """Return what every name that matches begins with: the text before the first wildcard."""
    return _WILDCARD.split(glob, maxsplit=1)[0]


def _prefixes(found: Iterable[str]) -> tuple[str, ...]:
    """
    Return them in order, without those that begin with another one.

    Where more than 100 are left, which a listing would have to ask for one by one, the folders that they are in.
    """
    kept: list[str] = []
    for prefix in sorted(set(found)):
        if not (kept and prefix.startswith(kept[-1])):
            kept.append(prefix)
    if len(kept) <= _MOST_PREFIXES:
        return tuple(kept)
    return _prefixes(prefix[: prefix.rstrip("/").rfind("/") + 1] for prefix in kept)


def key_matcher(glob: str) -> Callable[[str], bool]:
    """
    Return what tells whether a whole key matches: globs are those of Selection, but a key may have empty components.

    Raises OSSInvalidArgument for a ``**`` within a component.
    """
    compiled = _compiled("key", glob)
    return lambda key: _matches(compiled.steps, key.split("/"))


@dataclass(frozen=True, slots=True)
class _Glob:
    steps: tuple[_Step, ...]
    folder: tuple[_Step, ...] | None
    """Of a glob that ends with ``**``: the directories of which it names all that is below."""

    def holds_all_of(self, directory: Sequence[str]) -> bool:
        return self.folder is not None and (_matches(self.folder, directory) or _matches(self.steps, directory))


def _globs(name: str, given: str | Iterable[str]) -> tuple[_Glob, ...]:
    return tuple(_glob(name, glob) for glob in ([given] if isinstance(given, str) else given))


def _glob(name: str, glob: Any) -> _Glob:
    if not isinstance(glob, str):
        raise OSSInvalidArgument(f"{name}: {glob!r} is {a_type(glob)}: give globs as text")
    parts = glob.split("/")
    if not {"", ".", ".."}.isdisjoint(parts):
        raise OSSInvalidArgument(
            f"{name}={glob!r} can match nothing: globs are compared with paths relative to the directory, which "
            "neither begin nor end with a slash and have no component '.' or '..'; for all that is below logs, write "
            "'logs/**'"
        )
    return _compiled(name, glob)


def _compiled(name: str, glob: str) -> _Glob:
    parts = glob.split("/")
    if wrong := next((part for part in parts if _ANY_DEPTH in part and part != _ANY_DEPTH), None):
        raise OSSInvalidArgument(f"{name}={glob!r} has ** within the component {wrong!r}: it must be a whole one")
    steps = tuple(None if part == _ANY_DEPTH else re.compile(fnmatch.translate(part)).match for part in parts)
    return _Glob((*steps, _anything), steps[:-1]) if steps[-1] is None else _Glob(steps, None)


def _matches(steps: Sequence[_Step], parts: Sequence[str]) -> bool:
    """Compare from left to right; where that fails, give the last ``**`` one component more."""
    step = part = 0
    any_depth: tuple[int, int] | None = None
    while part < len(parts):
        matcher = steps[step] if step < len(steps) else _nothing
        if matcher is None:
            step, any_depth = step + 1, (step + 1, part)
        elif matcher(parts[part]):
            step, part = step + 1, part + 1
        elif any_depth is not None:
            step, part = any_depth[0], any_depth[1] + 1
            any_depth = (step, part)
        else:
            return False
    return all(matcher is None for matcher in steps[step:])


def _nothing(_part: str) -> bool:
    return False


def _anything(_part: str) -> bool:
    return True


def _leads_below(steps: Sequence[_Step], directory: Sequence[str]) -> bool:
    """Whether what is below the directory may match."""
    for index, part in enumerate(directory):
        if index >= len(steps) - 1:
            return False
        matcher = steps[index]
        if matcher is None:
            return True
        if not matcher(part):
            return False
    return True
