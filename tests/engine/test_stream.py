"""What may be given as a stream, and how it is read: in blocks worth the trouble, without waiting for too long."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_oss.engine.source import StreamSource, blocks_of, chunks_of
from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.limits import KIB, MIB
from tests.engine.doubles import HandClock
from tests.support.sources import some_bytes

BLOCK = 256 * KIB


@given(lengths=st.lists(st.integers(0, 3 * BLOCK), max_size=20))
def test_blocks_are_the_same_bytes(lengths: list[int]) -> None:
    """However a stream is cut, its blocks are its bytes; none but the last is small."""
    chunks = [some_bytes(length, seed) for seed, length in enumerate(lengths)]

    blocks = list(blocks_of(iter(chunks), HandClock()))

    assert b"".join(blocks) == b"".join(chunks)
    assert all(len(block) >= BLOCK for block in blocks[:-1])
    assert all(blocks)


def test_large_chunks_are_not_copied() -> None:
    """What is large enough comes through as the very object that the stream yielded."""
    chunk = some_bytes(BLOCK)
    assert next(blocks_of(iter([chunk]), HandClock())) is chunk


def test_a_slow_stream_lets_go() -> None:
    """When time passes between two chunks, what is there is yielded, be it nothing: the reader can look around."""
    clock = HandClock()

    def slow() -> Iterator[bytes]:
        for chunk in (b"a", b"b", b"", b"c"):
            clock.seconds += 0.15
            yield chunk

    assert list(blocks_of(slow(), clock)) == [b"ab", b"c"]
    assert list(blocks_of((b"" for clock.seconds in (2000.0, 3000.0)), clock)) == [b"", b""]


def test_what_came_before_an_error_comes_first() -> None:
    """A stream that fails has yielded all its bytes before the error."""

    def failing() -> Iterator[bytes]:
        yield b"some"
        raise ValueError("the source broke")

    blocks = blocks_of(failing(), HandClock())

    assert next(blocks) == b"some"
    with pytest.raises(ValueError, match="the source broke"):
        next(blocks)


@pytest.mark.parametrize("stream", [b"data", "text", 5, None])
def test_what_is_no_stream(stream: Any) -> None:
    """Data in memory, and what cannot be read at all, is refused with the remedy."""
    source = StreamSource(lambda: stream)
    with pytest.raises(OSSInvalidArgument, match="stream is a"):
        list(source.blocks(source.open(), HandClock()))


def test_text_is_refused() -> None:
    """A stream of text is an error that says what to do."""
    with pytest.raises(OSSInvalidArgument, match="encode text first"):
        list(StreamSource(None).blocks(["text"], HandClock()))


def test_only_a_callable_is_opened_again() -> None:
    """A callable returns a new stream each time, anything else is what it is."""
    once = io.BytesIO(b"data")
    assert (StreamSource(once).open(), StreamSource(once).can_be_read_again) == (once, False)
    again = StreamSource(lambda: io.BytesIO(b"data"))
    assert again.can_be_read_again
    assert again.open() is not again.open()


def test_compression() -> None:
    """A stream is compressed on its way, the same way each time."""
    data = some_bytes(1000) * 1000
    source = StreamSource(lambda: io.BytesIO(data), compression="gzip")
    first, second = (b"".join(source.blocks(source.open(), HandClock())) for _ in range(2))
    assert first == second
    assert len(first) < MIB > len(data) - len(first)
    assert gzip.decompress(first) == data


def test_a_read_that_stops_its_iteration() -> None:
    """A StopIteration out of ``read`` is an error of the stream: what came before is not all of it."""

    class Rows:
        def __init__(self) -> None:
            self._rows = iter([b"one", b"two"])

        def read(self, _: int) -> bytes:
            return next(self._rows)

    with pytest.raises(RuntimeError, match="StopIteration"):
        list(chunks_of(Rows()))
