"""``make docs``: the site, of docs/ and docstrings, without network; every warning and every dead link is an error."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
CACHE: Final = ROOT / ".cache"


def main() -> int:
    """Build it and say where it is; return Sphinx's exit status, which is 1 after a warning."""
    parser = argparse.ArgumentParser(prog="python -m docs.build", description=__doc__)
    parser.add_argument("--into", type=Path, default=CACHE / "site", help="folder of the site (default: .cache/site)")
    into = parser.parse_args().into
    # Airflow, whose classes the operators are derived from, makes its folder when it is imported
    os.environ["AIRFLOW_HOME"] = str(CACHE / "docs-airflow")
    logging.getLogger("airflow").setLevel(logging.WARNING)
    from sphinx.cmd.build import main as build  # noqa: PLC0415 - of the group docs

    strict = ["--fail-on-warning", "--keep-going", "--nitpicky"]
    status = build(["--quiet", *strict, "--doctree-dir", str(CACHE / "doctrees"), str(ROOT / "docs"), str(into)])
    if status == 0:
        print(f"file://{into.resolve()}/index.html")  # noqa: T201 - where to look is what the user came for
    return status


if __name__ == "__main__":
    sys.exit(main())
