"""How long the files and functions of a package are."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

LONG = 30
"""A function of more lines than this is a long one."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """
    Lines of files, and of functions.

    Of a function blank lines and the docstring do not count; its ``def`` does, and so does what it has in itself. A
    file of one line or none, a package's ``__init__``, counts as a file, and not in the median.
    """

    files: Sequence[int]
    functions: Sequence[int]

    @classmethod
    def of(cls, paths: Iterable[Path]) -> Sizes:
        """Measure these files."""
        texts = [path.read_text("utf-8") for path in paths]
        return cls(
            sorted(len(text.splitlines()) for text in texts),
            sorted(size for text in texts for size in function_sizes(text)),
        )

    def cells(self) -> list[str]:
        """Return files, lines, file med/p90/max, function med/p90/p99/max, share of long functions."""
        files = [size for size in self.files if size > 1]
        long = sum(size > LONG for size in self.functions) / max(len(self.functions), 1)
        return [
            f"{len(self.files)}",
            f"{sum(self.files):,}",
            "/".join(f"{quantile(files, share)}" for share in (0.5, 0.9, 1)),
            "/".join(f"{quantile(self.functions, share)}" for share in (0.5, 0.9, 0.99, 1)),
            f"{long:.1%}",
        ]


def function_sizes(text: str) -> list[int]:
    """Return the lines of every function and method of a module."""
    lines = text.splitlines()
    found = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [len({number for number in _numbers(node) if lines[number - 1].strip()}) for node in found]


def _numbers(node: ast.FunctionDef | ast.AsyncFunctionDef) -> set[int]:
    numbers = set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    if ast.get_docstring(node, clean=False) is not None:
        docstring = node.body[0]
        numbers -= set(range(docstring.lineno, (docstring.end_lineno or docstring.lineno) + 1))
    return numbers


def quantile(values: Sequence[int], share: float) -> int:
    """Return the value that this share of the sorted values does not exceed; 0 of none."""
    return values[min(int(share * len(values)), len(values) - 1)] if values else 0
