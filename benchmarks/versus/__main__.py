"""``make compare BASE=DIR``: measures another checkout of this package and this one, in turn, and compares them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.arguments import parse, parser
from benchmarks.results import write_page, write_result
from benchmarks.rounds import BenchmarkError
from benchmarks.suite import Options
from benchmarks.versus.compare import compare
from benchmarks.versus.rows import ROWS


def main(arguments: Sequence[str]) -> int:
    """Compare and return the exit status: 0 when all could be measured, whatever the verdicts."""
    asked = _parse(arguments)
    try:
        with TemporaryDirectory(prefix="oss-benchmark-", dir=asked.folder) as folder:
            options = Options(asked.rounds, Path(folder).resolve(), asked.scale)
            result = compare(asked.base, asked.rows or list(ROWS), options)
    except BenchmarkError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"\n{result.title}\n\n{result.table}")
    write_result(asked.output, result, options, None)
    write_page(asked.output)
    return 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    made = parser("benchmarks.versus", __doc__, rounds=5)
    made.add_argument("--base", type=Path, required=True, metavar="DIR", help="the checkout to compare with")
    return parse(arguments, made, "rows", ROWS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
