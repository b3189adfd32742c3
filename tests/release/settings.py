"""What pyproject.toml says of the project."""

from __future__ import annotations

import tomllib
from typing import Any

from tests.matrix.rows import ROOT

_PLACEHOLDER = ".example/"


def pyproject() -> dict[str, Any]:
    """Return all of pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def addresses() -> dict[str, str]:
    """Return the settings that all of the project's addresses are made of."""
    return dict(pyproject()["tool"]["hatch"]["metadata"]["hooks"]["custom"])


def unset_addresses() -> list[str]:
    """Return the names of those that nobody has set yet."""
    return [name for name, value in addresses().items() if _PLACEHOLDER in value]
