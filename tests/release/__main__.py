"""``make release-check``: build, check and install what would be published, with every Airflow of the matrix."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.matrix.rows import ROWS, Row
from tests.release.distributions import build, complaints_of_index, tests_of_sdist
from tests.release.environments import complaints_of_environment
from tests.release.quickstart import complaints_of_quickstart
from tests.release.settings import unset_addresses


def main() -> int:
    """Print what is wrong, check by check; return 1 when anything is."""
    parser = argparse.ArgumentParser(prog="python -m tests.release", description=__doc__)
    parser.add_argument("--only", default="", help='Airflow versions or names of rows, as "2.11 3.3-python3.13"')
    arguments = parser.parse_args()
    rows = [row for row in ROWS if row.is_wanted(arguments.only.split())]
    with tempfile.TemporaryDirectory(prefix="release-check-") as folder:
        is_good = _check(rows, Path(folder))
    for name in unset_addresses():
        print(f"before anything is published: set {name} in pyproject.toml")
    return 0 if is_good else 1


def _check(rows: Iterable[Row], folder: Path) -> bool:
    wheel, sdist = build(folder / "dist")
    found = [
        _said("metadata and README, as an index shows them", lambda: complaints_of_index(wheel, sdist)),
        _said("tests of the sdist", lambda: tests_of_sdist(sdist, folder / "sdist")),
        _said("the quick start, command by command", lambda: complaints_of_quickstart(wheel, folder / "quickstart")),
    ]
    for row in rows:
        for distribution in (wheel, sdist):
            what = f"{distribution.name} with Airflow {row.airflow} on Python {row.python}"
            environment = folder / f"{row.name}-{distribution.suffix[1:]}"
            found.append(
                _said(what, lambda: complaints_of_environment(row, distribution, environment))  # noqa: B023 - at once
            )
    return all(found)


def _said(what: str, check: Callable[[], list[str]]) -> bool:
    """Whether the check has nothing to complain of."""
    print(f"{what} ... ", end="", flush=True)
    try:
        complaints = check()
    except subprocess.CalledProcessError as error:
        complaints = [f"{error.cmd[0]} ended with {error.returncode}: {error.stderr or error.stdout or ''}"]
    print("ok" if not complaints else "\n".join(["FAILED", *complaints]), flush=True)
    return not complaints


if __name__ == "__main__":
    sys.exit(main())
