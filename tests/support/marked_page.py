"""Pages of the documentation that show, between two markers, what the tests state."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_DOCS: Final = Path(__file__).parents[2] / "docs"
FAULTS_PAGE: Final = _DOCS / "faults.md"
HOSTILE_SERVER_PAGE: Final = _DOCS / "hostile_server.md"


def between(page: Path, begin: str, end: str) -> str:
    """Return what the page has between two markers, both of which it must have."""
    _, found, rest = page.read_text("utf-8").partition(begin)
    text, found_end, _ = rest.partition(end)
    assert found
    assert found_end
    return text.strip()
