"""``make matrix``: the suite on every Airflow, each in an environment of its own; ``make constraints``: the pins."""

from __future__ import annotations

import argparse
import sys

from tests.matrix.rows import LOWEST, ROWS, Row
from tests.matrix.suite import Outcome, run
from tests.matrix.uv import pin, pin_lowest


def main() -> int:
    """Do what the arguments say; return 1 when a row has failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.matrix", description=__doc__)
    parser.add_argument("--only", default="", help='Airflow versions or names of rows, as "2.11 3.3-python3.13"')
    parser.add_argument("--short", action="store_true", help="leave out the tests of what imports no Airflow")
    parser.add_argument("--pin", action="store_true", help="write the pins instead")
    arguments = parser.parse_args()
    rows = _wanted(parser, arguments.only.split())
    if arguments.pin:
        for airflow in dict.fromkeys(row.airflow for row in rows):
            print(
                f"Pinning what goes with Airflow {airflow}" if airflow != LOWEST else "Pinning the lowest", flush=True
            )
            pin_lowest() if airflow == LOWEST else pin(airflow)
        return 0
    outcomes = [_run(row, is_short=arguments.short) for row in rows]
    print(_table(outcomes))
    return 0 if all(outcome.is_good for outcome in outcomes) else 1


def _wanted(parser: argparse.ArgumentParser, only: list[str]) -> list[Row]:
    known = {name for row in ROWS for name in (row.airflow, row.name)}
    if unknown := set(only) - known:
        parser.error(f"{', '.join(sorted(unknown))} is not among {', '.join(sorted(known))}")
    return [row for row in ROWS if row.is_wanted(only)]


def _run(row: Row, *, is_short: bool) -> Outcome:
    print(f"\n=== Airflow {row.airflow} on Python {row.python}", flush=True)
    return run(row, is_short=is_short)


def _table(outcomes: list[Outcome]) -> str:
    lines = [f"\n{'Airflow':<9}{'Python':<8}{'passed':>7}{'failed':>8}{'skipped':>9}{'minutes':>9}"]
    for one in outcomes:
        counts = f"{one.passed:>7}{one.failed:>8}{one.skipped:>9}{one.seconds / 60:>9.1f}"
        lines.append(
            f"{one.row.airflow:<9}{one.row.python:<8}{counts}  {'ok' if one.is_good else one.remark or 'FAILED'}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
