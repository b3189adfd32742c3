"""docs/install.md names every extra, and no other."""

from __future__ import annotations

import tomllib

from tests.docs.pages import ROOT, table_rows


def test_extras() -> None:
    """The table has what can be installed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    shown = {row[0].strip("`") for row in table_rows(ROOT / "docs" / "install.md", "Extras")}
    assert shown == set(project["optional-dependencies"])
