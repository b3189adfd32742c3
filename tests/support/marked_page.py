"""Pages of the documentation that show, between two markers, what the tests state."""

from __future__ import annotations

from pathlib import Path
from typing import Final

FAULTS_PAGE: Final = Path(__file__).parents[2] / "docs" / "faults.md"


def between(page: Path, begin: str, end: str) -> str:
    """Return what the page has between two markers, both of which it must have."""
    _, found, rest = page.read_text("utf-8").partition(begin)
    text, found_end, _ = rest.partition(end)
    assert found
    assert found_end
    return text.strip()
