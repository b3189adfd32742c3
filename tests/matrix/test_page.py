"""The documentation says what the matrix runs on."""

from __future__ import annotations

from tests.matrix.rendering import BEGIN, END, rendered
from tests.matrix.rows import LOWEST, ROOT, ROWS
from tests.release.settings import pyproject
from tests.support.marked_page import between


def test_the_page_shows_the_rows() -> None:
    """Between its two markers docs/versions.md has the rows, character by character."""
    assert between(ROOT / "docs" / "versions.md", BEGIN, END) == rendered()


def test_the_metadata_have_the_same_pythons() -> None:
    """Every Python of the matrix is classified, and no other; the lowest is what is required."""
    project = pyproject()["project"]
    minors = "Programming Language :: Python :: 3."
    classified = {name.removeprefix(minors) for name in project["classifiers"] if name.startswith(minors)}
    assert {f"3.{minor}" for minor in classified} == {row.python for row in ROWS}
    assert project["requires-python"] == f">={min((row.python for row in ROWS), key=lambda name: int(name[2:]))}"


def test_the_metadata_have_the_same_airflow() -> None:
    """The oldest Airflow of the matrix is what is required."""
    oldest = next(row.airflow for row in ROWS if row.airflow != LOWEST)
    assert f"apache-airflow>={oldest}" in pyproject()["project"]["dependencies"]
