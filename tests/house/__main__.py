"""
Measures the structure of this package, and of other checkouts and packages: ``python -m tests.house [PATH ...]``.

A path is a checkout of this project or the folder of any package. For those of this project it also follows one run
of an operator, from ``execute`` to the wire, against the local OSS server.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.house import upload
from tests.house.package import APART, Package, part_of
from tests.house.sizes import LONG, Sizes
from tests.support.airflow_home import airflow_environment

HERE = Path(__file__).parents[2] / "airflow_provider_oss"
HEAD = (
    "",
    "files",
    "lines",
    "file med/p90/max",
    "function med/p90/p99/max",
    f"functions > {LONG}",
    "import depth",
)
HEAD_OF_UPLOADS = ("one upload, operator to wire", "files", "functions", "deepest stack")


def rows_of(package: Package) -> Iterator[list[str]]:
    """Yield the row of a package, and that of the local server in it."""
    apart = [module for module in package.modules if part_of(module) == APART]
    others = [module for module in package.modules if module not in apart]
    yield [str(package.root), *Sizes.of(map(package.path_of, others)).cells(), str(len(package.chain()))]
    if apart:
        yield ["its local server", *Sizes.of(map(package.path_of, apart)).cells(), ""]


def followed(package: Package, case: str) -> list[str]:
    """Return the row of one run of an operator of a checkout of this project."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "airflow.cfg").touch()
        done = subprocess.run(
            [sys.executable, upload.__file__, case],
            env=airflow_environment(home, home / "dags", {"PYTHONPATH": str(package.root.parent)}),
            cwd=home,
            capture_output=True,
            text=True,
            check=True,
            timeout=300,
        )
    return [case, *map(str, json.loads(done.stdout.splitlines()[-1]))]


def table(*rows: tuple[str, ...] | list[str]) -> str:
    """Return a Markdown table."""
    head, *others = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join((head, f"|{'---|' * len(rows[0])}", *others))


def report(packages: list[Package]) -> Iterator[str]:
    """Yield the tables, and the deepest chain of imports of each package."""
    yield table(HEAD, *(row for package in packages for row in rows_of(package)))
    for package in packages:
        yield f"The deepest chain of imports in {package.root}:\n" + " > ".join(
            module or package.name for module in package.chain()
        )
        if package.name == HERE.name:
            yield table(HEAD_OF_UPLOADS, *(followed(package, case) for case in upload.CASES))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m tests.house", description=__doc__.strip().splitlines()[0])
    parser.add_argument("paths", nargs="*", type=Path, help="other checkouts, or folders of packages")
    paths = [HERE, *parser.parse_args().paths]
    for text in report([Package.at(path) for path in paths]):
        print(text, end="\n\n", flush=True)


if __name__ == "__main__":
    main()
