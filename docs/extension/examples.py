"""The example DAGs: a page that shows them all, to which links to their files lead."""

from __future__ import annotations

import ast
import posixpath
import re
from pathlib import Path
from typing import Final

EXAMPLES_PAGE: Final = "reference/examples"
_LINK: Final = re.compile(r"\((?:\.\./)+dags_examples/(?:(\w+)\.py)?\)")


def examples(folder: Path) -> str:
    """Return a section for each DAG file: what its docstring says, and the file."""
    return "".join(_section(file) for file in sorted(folder.glob("*.py")))


def with_links_to_examples(text: str, page: str) -> str:
    """Let links to DAG files lead to the page that shows them."""
    target = posixpath.relpath(EXAMPLES_PAGE, posixpath.dirname(page) or ".")
    return _LINK.sub(lambda found: f"({target}.md{_anchor(found[1])})", text)


def _section(file: Path) -> str:
    docstring = ast.get_docstring(ast.parse(file.read_text("utf-8"))) or ""
    return f"\n({_label(file.stem)})=\n## {file.name}\n\n{docstring}\n\n```{{literalinclude}} ../../dags_examples/{file.name}\n```\n"


def _label(stem: str) -> str:
    return f"example-{stem.replace('_', '-')}"


def _anchor(stem: str | None) -> str:
    return f"#{_label(stem)}" if stem else ""
