"""Which classes and functions the reference has."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

_DIRECTIVE: Final = re.compile(r"^\.\. auto(?:class|exception|function):: ([\w.]+)$", re.MULTILINE)


def documented(reference: Path) -> dict[str, str]:
    """Return by its own name what the pages of the folder document one by one, and its name in full."""
    pages = (page.read_text("utf-8") for page in sorted(reference.glob("*.md")))
    return {name.rpartition(".")[2]: name for text in pages for name in _DIRECTIVE.findall(text)}
