"""Which versions of Airflow and Python the suite runs on, and which tests run there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / ".cache" / "matrix"
"""Environments and results."""

LOWEST: Final = "lowest"
"""The row of the lowest versions that pyproject.toml allows, of Airflow too: what it promises to users is run."""

UNDECLARED: Final = {
    LOWEST: ("apache-airflow-providers-amazon>=9",),
    "3.0": ("fastapi<0.118", "pyjwt<2.11", "universal-pathlib<0.3"),
    "3.2": ("cadwyn<7", "fastapi<0.136", "pydantic<2.14", "svcs<26"),
}
"""
What an Airflow needs without saying so.

With later ones the API of 3.0.6 answers before the database has what it answers, its tokens have no issuer, and its
ObjectStoragePath refuses every URL; the dag-processor of 3.2.2 cannot import a model, and its dag.test has no server.
For the lowest fsspec uv would go back to an amazon provider that has no s3fs.
"""

OLDEST: Final = "2.11"
"""The oldest Airflow. The lowest row has its pins where they go with the lowest versions of what is declared."""

OLDEST_PYTHON: Final = "3.11"
"""The pins hold for this and all later ones."""

WITHOUT_AIRFLOW: Final = (
    "tests/chaos",
    "tests/clients",
    "tests/emulator",
    "tests/engine",
    "tests/exports",
    "tests/hostile",
    "tests/house",
    "tests/matrix",
    "tests/release",
    "tests/sources",
)
"""Tests of what no Airflow makes another: ``make test`` leaves them out where it runs on the oldest one."""

SHORT_INTEGRATION: Final = "test_interrupted_uploads.py"
"""Of the tests in a real Airflow, those that a short run has: kills, exceptions, timeouts, and what continues then."""

DISTRIBUTED: Final = ("--timeout", "600", "-m", "distributed", "-k", "node_of_sends_killed", "tests/distributed")
"""Of the plays in an Airflow of two nodes, those that a row has which is ``distributed``: the rest takes too long."""

NEWEST_ONLY: Final = (
    "tests/browser/test_connection_form.py",
    "tests/browser/test_site.py",
    "tests/demo",
    "tests/docs/test_pages.py",
    "tests/docs/test_site.py",
    "tests/docs/test_tables.py",
)
"""Tests of what is there for the newest Airflow only: its pages, the demonstration, the site, the examples of texts."""


@dataclass(frozen=True, slots=True)
class Row:
    """One Airflow, in its newest patch release, on one Python."""

    airflow: str
    python: str
    is_distributed: bool = False
    """Whether some plays in an Airflow of two nodes follow the suite."""

    @property
    def name(self) -> str:
        """What tells it from other rows."""
        return f"{self.airflow}-python{self.python}"

    @property
    def groups(self) -> tuple[str, ...]:
        """The dependency groups that are installed."""
        newest = ("docs",) if self.airflow == NEWEST else ()
        return ("dev", *newest, *(("distributed",) if self.is_distributed else ()))

    @property
    def environment(self) -> Path:
        """The virtual environment."""
        return FOLDER / self.name

    @property
    def constraints(self) -> Path:
        """The pins of everything that is installed there."""
        return constraints_of(self.airflow)

    def is_wanted(self, only: list[str]) -> bool:
        """Whether ``only`` names this Airflow or this row, or nothing."""
        return not only or self.airflow in only or self.name in only


ROWS: Final = (
    Row(LOWEST, OLDEST_PYTHON),
    Row(OLDEST, "3.11"),
    Row("3.0", "3.12"),
    Row("3.1", "3.13"),
    Row("3.2", "3.12"),
    Row("3.3", "3.11", is_distributed=True),
    Row("3.3", "3.13"),
)
NEWEST: Final = ROWS[-1].airflow


def constraints_of(airflow: str) -> Path:
    """Return the file of pins: that of the newest Airflow is the one that developers install from."""
    if airflow == NEWEST:
        return ROOT / "constraints.txt"
    return ROOT / "constraints" / (f"{LOWEST}.txt" if airflow == LOWEST else f"airflow-{airflow}.txt")


def left_out(row: Row, *, is_short: bool) -> list[str]:
    """Return the tests that do not run on this row."""
    others = [*(NEWEST_ONLY if row.airflow != NEWEST else ())]
    return [*others, *WITHOUT_AIRFLOW, *_long_integration()] if is_short else others


def _long_integration() -> list[str]:
    modules = sorted((ROOT / "tests" / "integration").glob("test_*.py"))
    return [str(module.relative_to(ROOT)) for module in modules if module.name != SHORT_INTEGRATION]
