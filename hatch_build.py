"""
What the build writes into the package's metadata: its addresses, and the README as a package index shows it.

Both follow from two settings in pyproject.toml, `repository` and `documentation`: the only places that have them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from hatchling.metadata.plugin.interface import MetadataHookInterface

_TARGET: Final = re.compile(r"(?P<mark>!?)\[(?P<text>[^\]]*)\]\((?P<path>(?![a-z]+:|#)[^)\s]+)\)")
_PAGE: Final = re.compile(r"docs/(?P<name>[\w/]+)\.md(?P<anchor>#.*)?")


class CustomMetadataHook(MetadataHookInterface):
    """Fills in `project.urls` and `project.readme`, which pyproject.toml declares as dynamic."""

    PLUGIN_NAME = "custom"

    def update(self, metadata: dict[str, Any]) -> None:
        """Add both to the metadata."""
        repository, documentation = self.config["repository"], self.config["documentation"]
        text = (Path(self.root) / "README.md").read_text("utf-8")
        metadata["urls"] = urls(repository, documentation)
        metadata["readme"] = {
            "content-type": "text/markdown",
            "text": with_absolute_links(text, repository, documentation),
        }


def urls(repository: str, documentation: str) -> dict[str, str]:
    """Return the project's addresses by the labels that package indexes and Airflow know."""
    return {
        "Homepage": documentation,
        "Documentation": documentation,
        "Source": repository,
        "Changelog": f"{documentation}/reference/changelog.html",
        "Issues": f"{repository}/issues",
    }


def with_absolute_links(text: str, repository: str, documentation: str) -> str:
    """Return Markdown whose links to files of the project lead to its pages, and else to its repository."""
    return _TARGET.sub(lambda found: _absolute(found, repository, documentation), text)


def _absolute(found: re.Match[str], repository: str, documentation: str) -> str:
    path = found["path"]
    if found["mark"]:
        address = f"{repository}/raw/HEAD/{path}"
    elif page := _PAGE.fullmatch(path):
        address = f"{documentation}/{page['name']}.html{page['anchor'] or ''}"
    else:
        address = f"{repository}/blob/HEAD/{path}"
    return f"{found['mark']}[{found['text']}]({address})"
