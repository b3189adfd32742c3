"""How far an upload is: counted, logged at a sane rate, told to a callback."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_oss.engine.progress import LogIntervals, ProgressReporter, describe
from airflow_provider_oss.limits import KIB, MIB
from airflow_provider_oss.model import Checkpoint, Fingerprint, ObjectRef, Progress
from tests.engine.doubles import HandClock

REF = ObjectRef("exports", "a")
CHECKPOINT = Checkpoint(REF, "U", 4, Fingerprint("stream", None), "0" * 16)


def test_parts_are_counted_and_told() -> None:
    """The callback hears after every part: the fraction done, the checkpoint, and OSS's answer to what was sent."""
    told: list[tuple[float, Checkpoint | None, Any]] = []
    reporter = ProgressReporter(REF, 10, lambda *what: told.append(what), HandClock())

    reporter.part_sent(4, None, "answer")
    reporter.part_verified(6, None)

    assert told == [(0.4, None, "answer"), (1.0, None, None)]
    assert reporter.progress == Progress(10, sent_bytes=4, verified_bytes=6)


def test_no_callback_is_fine() -> None:
    """Counting works without anybody to tell."""
    reporter = ProgressReporter(REF, 10, None, HandClock())

    reporter.part_sent(4, None, "answer")

    assert reporter.progress == Progress(10, sent_bytes=4)


def test_counting_can_begin_again() -> None:
    """After a restart nothing counts as done until it is found or sent again; what was sent was sent."""
    fractions: list[float] = []
    reporter = ProgressReporter(REF, 10, lambda fraction, *_: fractions.append(fraction), HandClock())
    reporter.part_sent(4, None, None)
    reporter.part_verified(5, None)

    reporter.restart()
    assert (reporter.progress.done_bytes, reporter.progress.sent_bytes) == (0, 4)
    reporter.part_found_again(4, None)
    reporter.part_sent(5, None, None)
    reporter.part_verified(1, None)

    assert reporter.progress == Progress(10, sent_bytes=9, verified_bytes=1)
    assert fractions == [0.4, 0.9, 0.9, 0.9, 1.0]


def test_lines_are_rare(caplog: pytest.LogCaptureFixture) -> None:
    """However often it is offered, a line is logged some seconds after the last one: each time twice as many."""
    caplog.set_level("INFO")
    clock = HandClock()
    began = clock.seconds
    reporter = ProgressReporter(REF, 10, None, clock, intervals=LogIntervals(5, 30))
    lines: list[float] = []

    while clock.seconds < began + 130:
        clock.seconds += 0.5
        reporter.tick()
        if len(caplog.messages) > len(lines):
            lines.append(clock.seconds - began)

    assert lines == [5, 15, 35, 65, 95, 125]
    assert set(caplog.messages) == {"0.0% (0 of 10 bytes), sent 0 bytes, verified 0 bytes"}


def test_a_line_that_is_asked_for_delays_the_next(caplog: pytest.LogCaptureFixture) -> None:
    """A line that was logged out of turn counts as the last one."""
    caplog.set_level("INFO")
    clock = HandClock()
    reporter = ProgressReporter(REF, 10, None, clock)

    clock.seconds += LogIntervals().first_seconds - 1
    reporter.line()
    clock.seconds += LogIntervals().first_seconds - 1
    reporter.tick()

    assert len(caplog.messages) == 1


@pytest.mark.parametrize(
    ("progress", "elapsed_seconds", "text"),
    [
        (Progress(0), 1.0, "100.0% (0 of 0 bytes), sent 0 bytes, verified 0 bytes"),
        (Progress(8 * MIB), 1.0, "0.0% (0.0 of 8.0 MiB), sent 0 bytes, verified 0 bytes"),
        (Progress(8 * MIB, 0, 2 * MIB), 1.0, "25.0% (2.0 of 8.0 MiB), sent 0 bytes, verified 2.0 MiB"),
        (Progress(8 * MIB, 2 * MIB, 0), 0.0, "25.0% (2.0 of 8.0 MiB), sent 2.0 MiB, verified 0 bytes"),
        (Progress(1000, 500, 0), 0.0, "50.0% (500 of 1000 bytes), sent 500 bytes, verified 0 bytes"),
        (
            Progress(100 * KIB, 50 * KIB, 0),
            1.0,
            "50.0% (50.0 of 100.0 KiB), sent 50.0 KiB, verified 0 bytes, 50.0 KiB/s, 0:00:01 left",
        ),
        (
            Progress(8 * MIB, 2 * MIB, 4 * MIB),
            2.0,
            "75.0% (6.0 of 8.0 MiB), sent 2.0 MiB, verified 4.0 MiB, 1.0 MiB/s, 0:00:02 left",
        ),
        (Progress(None), 1.0, "0 bytes, sent 0 bytes, verified 0 bytes"),
        (
            Progress(None, 2 * MIB, 4 * MIB),
            2.0,
            "6.0 MiB, sent 2.0 MiB, verified 4.0 MiB, 1.0 MiB/s",
        ),
        (
            Progress(4096 * MIB, 1 * MIB, 0),
            1.0,
            "0.0% (1.0 of 4096.0 MiB), sent 1.0 MiB, verified 0 bytes, 1.0 MiB/s, 1:08:15 left",
        ),
    ],
)
def test_a_line_tells_what_a_person_wants_to_know(progress: Progress, elapsed_seconds: float, text: str) -> None:
    """Sizes always; speed as soon as something was sent in some time; percentage and time left if the size is known."""
    assert describe(progress, elapsed_seconds) == text


def test_a_stream_is_at_zero_until_its_end_is_known() -> None:
    """While the length is not known the fraction is 0; afterwards it is told, and the last one is always 1."""
    told: list[tuple[float, Any]] = []
    reporter = ProgressReporter(REF, None, lambda fraction, _, response: told.append((fraction, response)), HandClock())

    reporter.part_sent(4, None, "answer")
    reporter.total_is(10)
    reporter.part_verified(4, None)
    reporter.part_sent(2, None, "last")
    reporter.end_reached(CHECKPOINT)

    assert told == [(0.0, "answer"), (0.8, None), (1.0, "last")]


def test_an_end_that_shows_after_the_last_part() -> None:
    """When a stream's end is seen only after its last part was told, one more call says that all is done."""
    told: list[tuple[float, Checkpoint | None, Any]] = []
    reporter = ProgressReporter(REF, None, lambda *what: told.append(what), HandClock())

    reporter.part_sent(4, CHECKPOINT, "answer")
    reporter.total_is(4)
    reporter.end_reached(CHECKPOINT)

    assert told == [(0.0, CHECKPOINT, "answer"), (1.0, CHECKPOINT, None)]
