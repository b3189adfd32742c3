"""``make bench``: measures this package and its peers side by side on this machine, and says which targets are met."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Final

from benchmarks.results import verdict_lines, write_page, write_result
from benchmarks.rounds import BenchmarkError
from benchmarks.suite import SUITES, Options, Result

_RESULTS: Final = Path(__file__).parent / "results"


def main(arguments: Sequence[str]) -> int:
    """Run the suites and return the exit status: 0 when all could be measured, whatever the verdicts."""
    asked = _parse(arguments)
    failed = 0
    for name in asked.suites or SUITES:
        print(f"== {name}", flush=True)
        try:
            _run(name, asked)
        except BenchmarkError as error:
            print(f"{name}: {error}", file=sys.stderr)
            failed = 1
    return failed


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"of {', '.join(SUITES)}; default all")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="of every measurement; default 3")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="for large files; default the temporary folder")
    parser.add_argument("--output", type=Path, default=_RESULTS, metavar="DIR", help="default benchmarks/results")
    parser.add_argument(
        "--scale", type=float, default=1.0, metavar="X", help="of all sizes: 0.02 tries whether it runs"
    )
    asked = parser.parse_args(arguments)
    if unknown := [name for name in asked.suites if name not in SUITES]:
        parser.error(f"no such suite: {', '.join(unknown)}")
    return asked


def _run(name: str, asked: argparse.Namespace) -> None:
    module = import_module(SUITES[name])
    with TemporaryDirectory(prefix="oss-benchmark-", dir=asked.folder) as folder:
        options = Options(asked.rounds, Path(folder), asked.scale)
        result: Result = module.run(options)
    print(f"\n{result.title}\n\n{result.table}\n")
    print("\n".join(verdict_lines(result.verdicts)), flush=True)
    write_result(asked.output, result, options, _chart(module, result))
    write_page(asked.output)


def _chart(module: ModuleType, result: Result) -> bytes | None:
    """Return the suite's chart; None when it draws none."""
    draw = getattr(module, "chart", None)
    chart: bytes | None = None if draw is None else draw(result.figures)
    return chart


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
