"""Links out of the pages: to example DAGs, which a page of their own shows, and to other files of the project."""

from __future__ import annotations

import ast
import posixpath
import re
from pathlib import Path
from typing import Final

EXAMPLES_PAGE: Final = "reference/examples"
_LINK: Final = re.compile(r"\((?:\.\./)+dags_examples/(?:(\w+)\.py)?\)")
_FILE: Final = re.compile(r"\]\((\.\./[\w./-]+(?:#[\w-]+)?)\)")


def examples(folder: Path) -> str:
    """Return a section for each DAG file: what its docstring says, and the file."""
    return "".join(_section(file) for file in sorted(folder.glob("*.py")))


def with_links_to_examples(text: str, page: str) -> str:
    """Let links to DAG files lead to the page that shows them."""
    target = posixpath.relpath(EXAMPLES_PAGE, posixpath.dirname(page) or ".")
    return _LINK.sub(lambda found: f"({target}.md{_anchor(found[1])})", text)


def with_links_to_files(text: str, page: str, repository: str) -> str:
    """Let links to files of the project that are not of the site lead to its repository."""

    def link(found: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page), found[1]))
        return found[0] if path.startswith("docs/") else f"]({repository}/blob/HEAD/{path})"

    return _FILE.sub(link, text)


def _section(file: Path) -> str:
    module = ast.parse(file.read_text("utf-8"))
    docstring = ast.get_docstring(module) or ""
    first = (module.body[0].end_lineno or 0) + 2 if docstring else 1
    shown = f"```{{literalinclude}} ../../dags_examples/{file.name}\n:lines: {first}-\n```"
    return f"\n({_label(file.stem)})=\n## {file.name}\n\n{docstring}\n\n{shown}\n"


def _label(stem: str) -> str:
    return f"example-{stem.replace('_', '-')}"


def _anchor(stem: str | None) -> str:
    return f"#{_label(stem)}" if stem else ""
