"""Work in a process of its own that is left in the middle, in each of the ways in which Airflow leaves a task."""

from __future__ import annotations

import gc
import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from types import FrameType
from typing import Any, Final, Literal, Self, TypeAlias

from airflow.providers.common.compat.sdk import AirflowTaskTimeout

from tests.support.waiting import wait_until

Way: TypeAlias = Literal["Airflow 3", "Airflow 2", "timeout"]
"""SIGTERM, whose handler calls on_kill; calls it and raises; or SIGALRM, whose handler raises, and then on_kill."""

WAYS: Final[tuple[Way, ...]] = ("Airflow 3", "Airflow 2", "timeout")
CALLER_SECONDS: Final = 3.0
"""Within a second, on a machine that does other things too."""
ALL_SECONDS: Final = 5.0

_SERVER: Final = multiprocessing.get_context("forkserver")
_PATIENCE_SECONDS: Final = 60.0


class TerminatedError(BaseException):
    """What Airflow 2 raises in its handler of SIGTERM."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a process is to do. ``make`` is a function of a module, which returns what begins, and what kills."""

    make: Callable[..., tuple[Callable[[], Any], Callable[[], None]]]
    arguments: tuple[Any, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Left:
    """How the work was left: the name of what was raised, after how long, and which threads outlived it."""

    error: str
    seconds: float
    threads: tuple[str, ...]


class Leaver:
    """A process at work. Use it in a ``with`` block: it is gone afterwards."""

    def __init__(self, work: Work, way: Way) -> None:
        _SERVER.set_forkserver_preload([__name__, work.make.__module__])
        self._way = way
        self._here, there = _SERVER.Pipe()
        self._process = _SERVER.Process(target=_run, args=(work, way, there))
        self._process.start()
        there.close()

    def __enter__(self) -> Self:
        assert self._told() == "ready"
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.join()
        self._process.close()
        self._here.close()

    def leave(self) -> Left:
        """Send the signal; return how the work was left."""
        assert self._process.pid is not None
        begun = time.monotonic()
        os.kill(self._process.pid, signal.SIGALRM if self._way == "timeout" else signal.SIGTERM)
        error = self._told()
        seconds = time.monotonic() - begun
        self._here.send(max(ALL_SECONDS - seconds, 0.0))
        return Left(error, seconds, self._told())

    def _told(self) -> Any:
        assert self._here.poll(_PATIENCE_SECONDS), "the process says nothing"
        return self._here.recv()


def _run(work: Work, way: Way, pipe: Connection) -> None:
    logging.disable()
    os.environ.update(work.environment)
    begin, kill = work.make(*work.arguments)
    _heed_signals(kill, way)
    before = set(threading.enumerate())
    pipe.send("ready")
    try:
        begin()
    except BaseException as error:  # noqa: BLE001 - which one is what is asked
        if isinstance(error, AirflowTaskTimeout):
            kill()
        ended = type(error).__name__
    else:
        ended = "nothing"
    pipe.send(ended)
    gc.collect()  # a signal may raise where a connection is in nobody's hands but a traceback's
    pipe.send(_threads_left(before, pipe.recv()))
    pipe.recv()  # the process stays, until it is ended: what it holds is held


def _threads_left(before: set[threading.Thread], within_seconds: float) -> tuple[str, ...]:
    def names() -> tuple[str, ...]:
        return tuple(thread.name for thread in threading.enumerate() if thread not in before)

    try:
        wait_until(lambda: not names() or None, within_seconds, "the end of all threads", lambda: str(names()))
    except TimeoutError:
        return names()
    return ()


def _heed_signals(kill: Callable[[], None], way: Way) -> None:
    def terminate(_signal: int, _frame: FrameType | None) -> None:
        kill()
        if way == "Airflow 2":
            raise TerminatedError

    def time_out(_signal: int, _frame: FrameType | None) -> None:
        raise AirflowTaskTimeout("execution_timeout")

    signal.signal(signal.SIGTERM, terminate)
    signal.signal(signal.SIGALRM, time_out)
