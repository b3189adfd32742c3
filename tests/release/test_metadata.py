"""What the build writes into the metadata, of two settings."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from trove_classifiers import classifiers

from airflow_provider_oss import __version__
from hatch_build import urls, with_absolute_links
from tests.matrix.rows import ROOT
from tests.release.distributions import relative_targets
from tests.release.settings import addresses, pyproject

REPOSITORY, SITE = "https://git.example/p", "https://docs.example/p"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("[a](docs/sql.md#many-tasks)", f"[a]({SITE}/sql.html#many-tasks)"),
        ("[a](docs/tasks/huge_file.md)", f"[a]({SITE}/tasks/huge_file.html)"),
        ("[a](CONTRIBUTING.md)", f"[a]({REPOSITORY}/blob/HEAD/CONTRIBUTING.md)"),
        ("[a](dags_examples)", f"[a]({REPOSITORY}/blob/HEAD/dags_examples)"),
        ("![a](docs/images/a.png)", f"![a]({REPOSITORY}/raw/HEAD/docs/images/a.png)"),
        ("[a](https://other.example/docs/a.md)", "[a](https://other.example/docs/a.md)"),
        ("[a](#limits)", "[a](#limits)"),
    ],
)
def test_links(written: str, shown: str) -> None:
    """Pages lead to the site, pictures and all else to the repository; what is absolute stays."""
    assert with_absolute_links(written, REPOSITORY, SITE) == shown


def test_the_readme_works_on_an_index() -> None:
    """Every link and picture of the README is absolute there, and leads to a page that the site has."""
    text = with_absolute_links((ROOT / "README.md").read_text("utf-8"), REPOSITORY, SITE)
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    assert targets
    assert [target for target in targets if not target.startswith("https://")] == []
    pages = [target.removeprefix(f"{SITE}/").partition("#")[0] for target in targets if target.startswith(SITE)]
    assert [page for page in pages if not (ROOT / "docs" / Path(page).with_suffix(".md")).exists()] == []


def test_what_is_relative_is_found() -> None:
    """A link that leads nowhere on an index is named; one to an anchor of the page is none."""
    html = '<a href="docs/a.md"></a><img src="b.png"><a href="https://c.example"></a><a href="#d"></a><h2 id="d"></h2>'
    assert relative_targets(html) == ["docs/a.md", "b.png"]


def test_addresses_stand_in_one_place() -> None:
    """Every address in the metadata is made of the two settings, and nothing else has these."""
    assert set(addresses()) == {"repository", "documentation"}
    found = urls(**addresses())
    assert set(found) == {"Homepage", "Documentation", "Source", "Changelog", "Issues"}
    assert all(value.startswith(tuple(addresses().values())) for value in found.values())
    texts = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "airflow_provider_oss").rglob("*.py")]
    assert [file for file in texts if any(value in file.read_text("utf-8") for value in addresses().values())] == []


def test_classifiers_are_known() -> None:
    """An index refuses a distribution with a classifier that it does not know."""
    assert set(pyproject()["project"]["classifiers"]) <= classifiers


def test_the_changelog_has_this_version() -> None:
    """The version, or what has not been released yet, stands at its top."""
    first = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert first is not None
    assert first[1] in {"Unreleased", __version__}


def test_an_sdist_has_all_that_is_here() -> None:
    """What stands beside the package is in it, as far as tests read it."""
    included = pyproject()["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    there = {path.name for path in ROOT.iterdir() if not path.name.startswith(".") and path.suffix != ".md"}
    missing = (
        there
        - {name.strip("/") for name in included}
        - {"pyproject.toml", "PKG-INFO", "build", "dist", "htmlcov", "coverage.xml"}
    )
    assert missing == set(), json.dumps(sorted(missing))
