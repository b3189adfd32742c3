"""What the command lines of the benchmarks have in common."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Sequence
from pathlib import Path

from benchmarks.results import RESULTS


def parser(program: str, description: str | None, rounds: int = 3) -> argparse.ArgumentParser:
    """Return a parser of the options that say how to measure; ``rounds`` is their default."""
    made = argparse.ArgumentParser(prog=f"python -m {program}", description=description)
    made.add_argument("--rounds", type=int, default=rounds, metavar="N", help=f"of every measurement; default {rounds}")
    made.add_argument("--folder", type=Path, metavar="DIR", help="for large files; default the temporary folder")
    made.add_argument("--output", type=Path, default=RESULTS, metavar="DIR", help="default benchmarks/results")
    made.add_argument("--scale", type=float, default=1.0, metavar="X", help="of all sizes: 0.02 tries whether it runs")
    return made


def parse(
    arguments: Sequence[str], made: argparse.ArgumentParser, what: str, known: Collection[str]
) -> argparse.Namespace:
    """Parse the options and, as ``what``, the names of what is to be measured; none stand for all that are known."""
    made.add_argument(what, nargs="*", metavar="NAME", help=f"of {', '.join(known)}; default all")
    asked = made.parse_args(arguments)
    if unknown := [name for name in getattr(asked, what) if name not in known]:
        made.error(f"no such {what.removesuffix('s')}: {', '.join(unknown)}")
    return asked
