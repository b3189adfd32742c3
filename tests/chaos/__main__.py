"""``python -m tests.chaos [--seed N] [--rounds N] [--only NAMES]``: play the campaign; exit 1 at a broken promise."""

from __future__ import annotations

import argparse
import os
import sys
import time

from tests.chaos import cells
from tests.chaos.campaign import ROUNDS, Played, play, summary


def main() -> int:
    """Play, print the figures, and how to replay what was broken."""
    options = _options()
    os.environ.setdefault("AIRFLOW__LOGGING__LOGGING_LEVEL", "CRITICAL")
    started, ends = time.monotonic(), []
    for end in play(options.seed, options.rounds, options.only, options.processes):
        ends.append(end)
        _show_progress(len(ends), end)
    broken = [end for end in ends if end.broken is not None]
    _say(f"\n{summary(ends)}\n")
    covered = sum(end.name.startswith("cell:") and end.broken is None for end in ends)
    cells_of_table, minutes = len(list(cells.cells())), (time.monotonic() - started) / 60
    _say(f"seed {options.seed}: {len(ends)} scenarios, {covered} of {cells_of_table} cells, {minutes:.1f} minutes")
    for end in broken:
        _say(f"BROKEN {end.name}: {end.broken}")
        _say(f"replay: make chaos SEED={options.seed} ROUNDS={options.rounds} ONLY={end.name}")
    if not ends:
        _say(f"no scenario's name begins with {options.only!r}")
    return 1 if broken or not ends else 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _show_progress(count: int, end: Played) -> None:
    if count % 50 == 0:
        _say(f"{count} scenarios, the last: {end.name}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of kills at random times, nine and more in each")
    parser.add_argument("--only", default="", help="play only scenarios whose name begins like one of these words")
    parser.add_argument("--processes", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
