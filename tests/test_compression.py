"""Compressed streams: readable by the ordinary tools, and the same bytes in every run."""

from __future__ import annotations

import gzip
import hashlib
import io
import random
import subprocess
import sys
import zlib
from collections.abc import Iterator

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_oss.compression import compressed, content_encoding, suffix
from airflow_provider_oss.exceptions import OSSInvalidArgument

LINES = b"".join(b"%d,name %d,%d\n" % (number, number % 97, number * number) for number in range(60_000))


def read(data: bytes, compression: str | None) -> bytes:
    if compression == "gzip":
        return gzip.decompress(data)
    if compression == "zstd":
        return zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data), read_across_frames=True).read()
    return data


def cut(data: bytes, sizes: list[int]) -> Iterator[bytes]:
    """Yield the data in chunks of these sizes, over and over."""
    start = index = 0
    while start < len(data):
        size = sizes[index % len(sizes)]
        yield data[start : start + size]
        start, index = start + size, index + 1


@pytest.mark.parametrize("compression", [None, "gzip", "zstd"])
@pytest.mark.parametrize("data", [b"", b"x", LINES, random.Random(1).randbytes(1_000_000)], ids=len)
def test_what_goes_in_comes_out(compression: str | None, data: bytes) -> None:
    """The decompressor gives back every byte, of nothing and of much."""
    assert read(b"".join(compressed(cut(data, [70_000]), compression)), compression) == data


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
@settings(max_examples=25)
@given(sizes=st.lists(st.integers(1, 400_000), min_size=1, max_size=5).filter(lambda sizes: sum(sizes) > 5000))
def test_chunks_leave_no_trace(compression: str, sizes: list[int]) -> None:
    """However a source cuts its bytes, the compressed bytes are the same."""
    whole = b"".join(compressed([LINES], compression))
    assert b"".join(compressed(cut(LINES, sizes), compression)) == whole


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_another_process_gives_the_same_bytes(compression: str) -> None:
    """Neither the time nor the process is in the compressed bytes."""
    program = f"""
import hashlib
from airflow_provider_oss.compression import compressed
data = b"".join(b"%d,name %d,%d\\n" % (number, number % 97, number * number) for number in range(60_000))
print(hashlib.sha256(b"".join(compressed([data], {compression!r}))).hexdigest())
"""
    other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert other.stdout.strip() == hashlib.sha256(b"".join(compressed([LINES], compression))).hexdigest()


def test_gzip_header_names_nothing() -> None:
    """The gzip header has neither a time nor a file name."""
    header = b"".join(compressed([b"data"], "gzip"))[:10]
    assert header[:4] == b"\x1f\x8b\x08\x00"
    assert header[4:8] == bytes(4)


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_it_compresses_as_it_goes(compression: str) -> None:
    """Bytes come out long before the source has ended, so that memory stays what a block takes."""
    given_chunks = 0

    def source() -> Iterator[bytes]:
        nonlocal given_chunks
        for number in range(400):
            given_chunks = number
            yield random.Random(number).randbytes(10_000)

    stream = compressed(source(), compression)
    assert len(b"".join(next(stream) for _ in range(2))) > 0
    assert given_chunks < 100


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_a_source_that_fails_is_no_whole_stream(compression: str) -> None:
    """What the source raises comes through, and what came before it has no end."""

    def source() -> Iterator[bytes]:
        yield LINES
        raise ConnectionAbortedError("the database went away")

    got: list[bytes] = []
    with pytest.raises(ConnectionAbortedError, match="the database went away"):
        got.extend(compressed(source(), compression))
    reader = zlib.decompressobj(31) if compression == "gzip" else zstandard.ZstdDecompressor().decompressobj()
    reader.decompress(b"".join(got))
    assert not reader.eof


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_the_command_line_tools_read_it(compression: str) -> None:
    """The tools that everybody has find nothing wrong with it: gzip -t, and zstd's own reader of whole frames."""
    data = b"".join(compressed([LINES], compression))
    if compression == "gzip":
        done = subprocess.run(["gzip", "-dc"], input=data, capture_output=True, check=True, timeout=60)
        assert (done.stdout, done.stderr) == (LINES, b"")
    else:
        parameters = zstandard.get_frame_parameters(data)
        assert parameters.has_checksum
        assert zstandard.ZstdDecompressor().decompressobj().decompress(data) == LINES


@pytest.mark.parametrize(
    ("compression", "expected"), [(None, ("", None)), ("gzip", (".gz", "gzip")), ("zstd", (".zst", "zstd"))]
)
def test_names(compression: str | None, expected: tuple[str, str | None]) -> None:
    """Each has the suffix of its tool and HTTP's own name, which an object of that suffix does not get."""
    assert (suffix(compression), content_encoding(compression, "a.csv")) == expected
    assert content_encoding(compression, f"a.csv{suffix(compression)}") is None


@pytest.mark.parametrize(
    "use", [lambda: compressed([], "bzip2"), lambda: suffix("bzip2"), lambda: content_encoding("bzip2", "a")]
)
def test_unknown(use: object) -> None:
    """Another compression is refused at once, by name."""
    with pytest.raises(OSSInvalidArgument, match="'bzip2' is not known: use None, 'gzip' or 'zstd'"):
        use()  # type: ignore[operator]


def test_zstd_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package the error names the extra that brings it; gzip still works."""
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(OSSInvalidArgument, match="install airflow-provider-oss with the extra zstd"):
        compressed([], "zstd")
    assert read(b"".join(compressed([b"data"], "gzip")), "gzip") == b"data"
