"""The whole campaign: its scenarios, and how they are played by several processes and summed up."""

from __future__ import annotations

import logging
import multiprocessing
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Final

from tests.chaos import cells, deaths, flips, kills, moves, names, secret, stores, sweeps, timeouts, twins
from tests.chaos.scenario import Measured, Scenario, Stage

ROUNDS: Final = 50
"""Enough for more than 200 kills at random times."""
_LIES: Final = 100
_FLIP_STEP: Final = 5
"""Every fifth byte; the seed says which."""


def scenarios(rounds: int = ROUNDS, lies: int = _LIES) -> Iterator[Scenario]:
    """Yield all scenarios, those that take longest first."""
    return chain(
        sweeps.scenarios(),
        deaths.scenarios(),
        stores.scenarios(lies),
        kills.scenarios(rounds),
        cells.scenarios(),
        flips.scenarios(_FLIP_STEP),
        moves.scenarios(),
        twins.scenarios(),
        names.scenarios(),
        timeouts.scenarios(),
        secret.scenarios(),
    )


@dataclass(frozen=True, slots=True)
class Played:
    """One scenario's end. ``broken`` says what promise did not hold."""

    name: str
    seconds: float
    measured: Measured = field(default_factory=Measured)
    broken: str | None = None


def play(seed: int, rounds: int, only: str, processes: int) -> Iterator[Played]:
    """Play the scenarios whose names begin with a word of ``only``; yield each end, none after a broken promise."""
    begins = tuple(only.split()) or ("",)
    chosen = [scenario.name for scenario in scenarios(rounds) if scenario.name.startswith(begins)]
    with tempfile.TemporaryDirectory() as folder:
        pool = ProcessPoolExecutor(
            processes, multiprocessing.get_context("spawn"), _Worker.begin, (seed, rounds, Path(folder))
        )
        try:
            yield from _until_broken(pool.submit(_Worker.play, name) for name in chosen)
        finally:
            pool.shutdown(cancel_futures=True)


def _until_broken(futures: Iterable[Future[Played]]) -> Iterator[Played]:
    for future in as_completed(list(futures)):
        played = future.result()
        yield played
        if played.broken is not None:
            return


class _Worker:
    """What lives in each process of the pool."""

    stage: Stage
    scenarios: dict[str, Scenario]

    @classmethod
    def begin(cls, seed: int, rounds: int, folder: Path) -> None:
        """Open the stage; what Airflow and the attempts log goes to a file."""
        logging.disable()
        own = folder / str(os.getpid())
        own.mkdir()
        with (own / "log").open("wb") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        cls.scenarios = {scenario.name: scenario for scenario in scenarios(rounds)}
        cls.stage = Stage(seed, own)
        cls.stage.__enter__()

    @classmethod
    def play(cls, name: str) -> Played:
        """Play one scenario to its end, whatever that is."""
        started = time.monotonic()
        try:
            measured = cls.stage.play(cls.scenarios[name])
        except Exception as error:  # noqa: BLE001 - the top frame of a process: the parent prints it
            return Played(name, time.monotonic() - started, broken=f"{type(error).__name__}: {error}")
        return Played(name, time.monotonic() - started, measured)


def summary(ends: Iterable[Played]) -> str:
    """Return the figures of each group of scenarios as a table."""
    groups: dict[str, list[Played]] = defaultdict(list)
    for end in ends:
        groups[end.name.partition(":")[0]].append(end)
    lines = [_line("", "scenarios", "faults", "kills", "sent again", "orphans", "broken", "seconds")]
    lines += [_line(group, *_figures(ends)) for group, ends in sorted(groups.items())]
    lines.append(_line("all", *_figures(list(chain.from_iterable(groups.values())))))
    return "\n".join(lines)


def _figures(ends: list[Played]) -> tuple[object, ...]:
    total = sum((end.measured for end in ends), Measured())
    broken = sum(end.broken is not None for end in ends)
    seconds = f"{sum(end.seconds for end in ends):.0f}"
    return (len(ends), total.faults, total.kills, total.bytes_sent_again, total.orphans, broken, seconds)


def _line(first: str, *others: object) -> str:
    return f"{first:<15}" + "".join(f"{other!s:>11}" for other in others)
