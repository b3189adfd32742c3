"""A stream as the engine's source: any stream gives the parts of its bytes, and one that broke never ends."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_oss import limits
from airflow_provider_oss.engine.plan import make_plan
from airflow_provider_oss.engine.source import Slice, StreamSource
from airflow_provider_oss.engine.stream_parts import StreamParts
from airflow_provider_oss.exceptions import OSSInvalidSource, OSSStreamSpent
from airflow_provider_oss.failures import SourceFailed
from airflow_provider_oss.file_range import Buffer
from airflow_provider_oss.model import Part
from airflow_provider_oss.proof import Content, crc64
from tests.engine.conftest import PART
from tests.engine.doubles import HandClock
from tests.support.sources import RecordingStream, slices_of, some_bytes

PLAN = make_plan(None, PART)
DATA = some_bytes(4 * PART + 5)


def source_of(stream: Any, check: Callable[[], None] = lambda: None) -> StreamParts:
    return StreamParts(StreamSource(stream, "a stream"), HandClock(), check)


def drawn(source: StreamParts) -> list[tuple[Part, bytes]]:
    """Draw all parts as the engine does, and give each back at once."""
    parts = []
    for piece in source.slices(PLAN, ()):
        if piece is not None:
            data = piece.read()
            assert isinstance(data, Buffer)
            assert (len(data), crc64(data)) == (piece.part.size_bytes, piece.crc64)
            parts.append((piece.part, bytes(data)))
            piece.release()
    return parts


def parts_of(data: bytes) -> list[tuple[Part, bytes]]:
    return [(part, data[part.offset_bytes :][: part.size_bytes]) for part in make_plan(len(data), PART)]


@given(size_bytes=st.integers(0, 3 * PART + 2), cuts=st.lists(st.integers(0, 3 * PART), max_size=30))
def test_any_chunks_give_the_same_parts(size_bytes: int, cuts: list[int]) -> None:
    """However a stream is cut into chunks, its parts are those of its bytes."""
    data = DATA[:size_bytes]
    edges = sorted({0, size_bytes, *(cut for cut in cuts if cut < size_bytes)})
    chunks = [data[start:end] for start, end in itertools.pairwise(edges)]

    source = source_of(lambda: iter(chunks))

    assert source.measure(PART) == (size_bytes if size_bytes <= PART else None)
    assert drawn(source) == parts_of(data)
    assert source.size_bytes == size_bytes
    assert source.content() == Content(size_bytes, crc64(data))


def test_later_parts_grow() -> None:
    """The parts follow the plan, also where it grows."""
    zeros = bytes(limits.MIB)
    count = 300
    source = source_of(lambda: itertools.repeat(zeros))
    pieces = (piece for piece in source.slices(PLAN, ()) if piece is not None)

    for piece in itertools.islice(pieces, count):
        assert piece.part == PLAN.part(piece.part.number)
        piece.release()
    assert PLAN.part(count).size_bytes > PART


def test_more_than_all_parts_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that is longer than all parts together is an error that no retry mends, not a shorter object."""
    monkeypatch.setattr("airflow_provider_oss.engine.plan.GrowingPlan.count", 3)
    assert len(drawn(source_of(lambda: io.BytesIO(DATA[: 3 * PART])))) == 3
    with pytest.raises(OSSInvalidSource, match=f"a stream has more than {3 * PART} bytes"):
        drawn(source_of(lambda: io.BytesIO(DATA[: 3 * PART + 1])))


@pytest.mark.parametrize("size_bytes", [0, 1, PART])
def test_a_stream_of_one_part(size_bytes: int) -> None:
    """A stream that ends within its first part is known as a whole."""
    source = source_of(lambda: io.BytesIO(DATA[:size_bytes]))
    assert source.measure(PART) == size_bytes
    assert bytes(source.whole()) == DATA[:size_bytes]  # type: ignore[arg-type]  # it is in memory
    assert source.content() == Content(size_bytes, crc64(DATA[:size_bytes]))


def test_nothing_is_read_before_it_is_needed() -> None:
    """Making a source reads nothing; measuring reads the first part and as much as shows that there is more."""
    stream = RecordingStream(DATA)
    source = source_of(stream)
    assert stream.reads == 0
    source.measure(PART)
    reads = stream.reads
    assert reads < 2 * 256  # blocks of 256 KiB, a thousand bytes a read
    source.measure(PART)
    assert stream.reads == reads


def test_looking_whether_to_stop() -> None:
    """While nothing else is done between two reads, the source asks after each whether to stop."""
    looks: list[int] = []
    source = source_of(lambda: itertools.repeat(bytes(limits.MIB), 3), lambda: looks.append(1))
    source.measure(2 * limits.MIB)
    assert len(looks) == 3
    source.content()
    assert len(looks) == 4


@pytest.mark.parametrize("draw_first", [False, True])
def test_content_is_read_from_where_it_is(*, draw_first: bool) -> None:
    """Size and CRC-64 of the whole need no second reading, whatever was read and drawn before."""
    source = source_of(slices_of(DATA))
    source.measure(PART)
    pieces = source.slices(PLAN, ())
    if draw_first:
        for _ in range(4):  # in the middle of a part
            next(pieces)
    assert source.content() == Content(len(DATA), crc64(DATA))
    assert source.size_bytes == len(DATA)


def test_a_callable_is_read_again() -> None:
    """What was drawn or read to the end is read again from the beginning when it is asked for again."""
    source = source_of(lambda: slices_of(DATA))
    assert drawn(source) == drawn(source) == parts_of(DATA)
    source.content()
    assert source.measure(PART) is None
    assert drawn(source) == parts_of(DATA)


def test_a_stream_that_was_one_part_before() -> None:
    """A callable that returns another stream the second time is what it is then."""
    streams = iter([DATA, DATA[:10], b""])
    source = source_of(lambda: io.BytesIO(next(streams)))
    assert source.measure(PART) is None
    source.content()
    assert source.measure(PART) == 10
    source.content()
    assert drawn(source) == []


def test_what_can_be_read_only_once() -> None:
    """An object itself is not read again: the error names it, and says what to give instead."""
    source = source_of(slices_of(DATA))
    drawn(source)
    with pytest.raises(OSSStreamSpent, match="a stream can be read only once: give a callable"):
        source.measure(PART)


class StreamError(Exception):
    """What a stream raises."""


def test_an_error_is_carried_as_it_is() -> None:
    """What the stream raises is inside of SourceFailed, the very object."""
    error = StreamError("the database went away")
    source = source_of(RecordingStream(DATA, fails_at_read=300, error=error))
    with pytest.raises(SourceFailed) as caught:
        drawn(source)
    assert caught.value.cause is error


def test_an_error_of_the_callable_itself() -> None:
    """A callable that raises is a stream that fails."""

    def no_stream() -> Iterator[bytes]:
        raise StreamError("no connection")

    with pytest.raises(SourceFailed, match="no connection"):
        source_of(no_stream).measure(PART)


def test_a_stream_that_broke_has_not_ended() -> None:
    """After an error nothing is read any more: a generator that failed would look as if it had ended."""

    def failing() -> Iterator[bytes]:
        yield DATA[: 3 * PART]
        raise StreamError

    source = source_of(failing())
    with pytest.raises(SourceFailed):
        drawn(source)
    for ask in (source.content, lambda: list(source.slices(PLAN, ()))):
        with pytest.raises((SourceFailed, OSSStreamSpent)):
            ask()
    assert source.size_bytes is None


class ClosingStream(io.BytesIO):
    """Counts how often it is closed, and may fail at that."""

    def __init__(self, data: bytes, error: Exception | None = None) -> None:
        super().__init__(data)
        self.error = error
        self.closings = 0

    def close(self) -> None:
        self.closings += 1
        if self.error is not None and self.closings == 1:  # its destructor closes it as well
            raise self.error


def test_what_a_callable_returns_is_closed() -> None:
    """At its end a stream that a callable returned is closed, once; an object that the user keeps is not."""
    stream = ClosingStream(DATA)
    source = source_of(lambda: stream)
    drawn(source)
    source.close(is_in_use=False)
    assert stream.closings == 1
    kept = ClosingStream(DATA)
    source = source_of(kept)
    drawn(source)
    source.close(is_in_use=False)
    assert kept.closings == 0


def test_a_stream_that_cannot_be_closed_at_its_end() -> None:
    """An error at the closing is one of the stream: it did not come to a good end."""
    with pytest.raises(SourceFailed, match="the pipe broke"):
        drawn(source_of(lambda: ClosingStream(DATA, StreamError("the pipe broke"))))


def test_a_stream_is_closed_on_the_way(caplog: pytest.LogCaptureFixture) -> None:
    """A stream that is given up is closed; what that raises is only logged, for something else is the matter."""
    stream = ClosingStream(DATA, StreamError("the pipe broke"))
    source = source_of(lambda: stream)
    source.measure(PART)
    source.close(is_in_use=True)
    assert stream.closings == 1
    assert "a stream could not be closed: the pipe broke" in caplog.text


def test_buffers_are_used_again() -> None:
    """Parts that are given back make room for those that follow; what is held keeps its bytes."""
    source = source_of(lambda: io.BytesIO(DATA))
    pieces: Iterator[Slice] = (piece for piece in source.slices(PLAN, ()) if piece is not None)
    first, second = next(pieces), next(pieces)
    first.release()
    third = next(pieces)
    assert bytes(second.read()) == DATA[PART : 2 * PART]  # type: ignore[arg-type]  # it is in memory
    assert bytes(third.read()) == DATA[2 * PART : 3 * PART]  # type: ignore[arg-type]
    assert bytes(first.read()) == DATA[2 * PART : 3 * PART]  # type: ignore[arg-type]
