"""The documentation as the tests read it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
README = ROOT / "README.md"
DOCS = tuple(sorted((ROOT / "docs").rglob("*.md")))
"""The pages of the site."""
PAGES = (README, *sorted(page for page in ROOT.glob("*.md") if page != README), *DOCS)


def name(page: Path) -> str:
    """Return the page's name for a test's id."""
    return str(page.relative_to(ROOT))


def code_blocks(page: Path, language: str) -> list[str]:
    """Return the page's fenced blocks of the language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def table_rows(page: Path, heading: str) -> Iterator[list[str]]:
    """Yield the cells of each row of the first table below the heading."""
    section = page.read_text("utf-8").split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    _, _, *rows = [line for line in section.splitlines() if line.startswith("|")]
    for row in rows:
        yield [cell.strip() for cell in row.strip("|").split(" | ")]


def code_of(page: Path) -> list[str]:
    """Return what the page shows as code: between backticks, or indented."""
    text = page.read_text("utf-8")
    return [*re.findall(r"`([^`\n]+)`", text), *re.findall(r"^    .*\n", text, re.MULTILINE)]
