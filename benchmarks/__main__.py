"""``make bench``: measures this package and its peers side by side on this machine, and says which targets are met."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

from benchmarks.arguments import parse, parser
from benchmarks.results import verdict_lines, write_page, write_result
from benchmarks.rounds import BenchmarkError
from benchmarks.suite import SUITES, Options, Result


def main(arguments: Sequence[str]) -> int:
    """Run the suites and return the exit status: 0 when all could be measured, whatever the verdicts."""
    asked = parse(arguments, parser("benchmarks", __doc__), "suites", SUITES)
    failed = 0
    for name in asked.suites or SUITES:
        print(f"== {name}", flush=True)
        try:
            _run(name, asked)
        except BenchmarkError as error:
            print(f"{name}: {error}", file=sys.stderr)
            failed = 1
    return failed


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
