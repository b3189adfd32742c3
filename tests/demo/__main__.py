"""``make demo``: an upload that is really killed in the middle, twice, in a real Airflow, and resumes."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from airflow_provider_oss.limits import MIB
from tests.demo.account import BrokenPromiseError
from tests.demo.report import kept_lines, lines
from tests.demo.story import Outcome, check, demonstrate

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_RANDOM_MIB = 200


class InterruptedBySignal(BaseException):
    """The user, or the system, wants this to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0 when everything was as promised, 1 when not, 2 for a file that cannot be used, 128 + n for signal n."""
    options = _parser().parse_args(arguments)
    if options.file is not None and not (options.file.is_file() and os.access(options.file, os.R_OK)):
        return _failed(2, f"{options.file} is no file that can be read")
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup, or in the background
            signal.signal(number, _interrupt)
    try:
        _run(options.file, options.random_mib * MIB, keep=options.keep)
    except InterruptedBySignal as error:
        return _failed(128 + error.number, "interrupted; everything that was started has been ended")
    except (BrokenPromiseError, LookupError, OSError, RuntimeError) as error:
        return _failed(1, f"the demonstration failed: {error}")
    _print("", "Everything was as promised. Nothing is left running, and the temporary folder is gone.")
    return 0


def _run(file: Path | None, random_bytes: int, *, keep: bool) -> None:
    _print("An upload from Airflow to OSS that survives SIGKILL. It takes about a minute.", "")
    with ExitStack() as stack:
        try:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="airflow-provider-oss-demo-")))
            outcome = demonstrate(folder, file and file.resolve(), random_bytes, stack, keep=keep)
            _print(*lines(outcome))
            check(outcome)
            if keep:
                _wait_for_the_user(outcome)
        finally:
            _end_undisturbed()


def _wait_for_the_user(outcome: Outcome) -> None:
    """Say what is open, and return when the user has seen enough: Ctrl-C is no failure here."""
    _print("", *kept_lines(outcome))
    with suppress(InterruptedBySignal):
        while True:
            signal.pause()


def _end_undisturbed() -> None:
    """What was started is ended now, whatever comes: a second Ctrl-C would leave something running."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _interrupt(number: int, _frame: FrameType | None) -> NoReturn:
    """End the demonstration where it is: an object that is being built there has a destructor that may complain.

    Python 3.13 prints such a complaint (seen: ``HTTPResponse`` without ``fp``) into what the user reads.
    """
    sys.unraisablehook = lambda _complaint: None
    _end_undisturbed()
    raise InterruptedBySignal(number)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--file", type=Path, help="the file to upload (default: 200 MiB of random bytes)")
    parser.add_argument("--keep", action="store_true", help="leave all of it open until Ctrl-C: Airflow's UI, OSS")
    parser.add_argument("--random-mib", type=int, default=_RANDOM_MIB, help=argparse.SUPPRESS)
    return parser


def _print(*texts: str) -> None:
    for text in texts:
        print(text, flush=True)  # noqa: T201 - what the user came for


def _failed(code: int, message: str) -> int:
    print(f"\nmake demo: {message}", file=sys.stderr, flush=True)  # noqa: T201 - as above
    return code


if __name__ == "__main__":
    sys.exit(main())
