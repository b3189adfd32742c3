"""What a function may give, and how it is read and closed."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_oss.decorators.oss_upload import Output
from airflow_provider_oss.exceptions import OSSInvalidArgument
from tests.support.own_path import OwnPath
from tests.support.sources import descriptors_of

TEXT = "naïve, 中文, 🙂\r\nsecond line\n"


def mixed() -> Iterator[bytes | str]:
    yield TEXT[:10]
    yield TEXT[10:15].encode()
    yield ""
    yield memoryview(TEXT[15:].encode())  # type: ignore[misc]  # it is as good as bytes


class Rows:
    """An iterable whose iterator is a generator of its own."""

    def __init__(self) -> None:
        self.cleaned_up = False

    def __iter__(self) -> Iterator[str]:
        try:
            yield from itertools.repeat("row\n")
        finally:
            self.cleaned_up = True


class Table:
    """Something like a data frame: iterating it gives the names of its columns."""

    def __iter__(self) -> Iterator[str]:
        return iter(("id", "name"))

    def __dataframe__(self) -> None:
        """Exist."""


def read(value: Any) -> bytes:
    return b"".join(Output(value, "function"))


@pytest.mark.parametrize(
    "make",
    [
        lambda: TEXT,
        TEXT.encode,
        lambda: bytearray(TEXT.encode()),
        mixed,
        lambda: list(mixed()),
        lambda: tuple(mixed()),
        lambda: io.BytesIO(TEXT.encode()),
        lambda: io.StringIO(TEXT, newline=""),
        lambda: iter(TEXT),
    ],
    ids=["str", "bytes", "bytearray", "generator", "list", "tuple", "binary file", "text file", "iterator"],
)
def test_bytes(make: Callable[[], Any]) -> None:
    """Bytes stay what they are, text becomes UTF-8, in whatever form they come."""
    assert read(make()) == TEXT.encode()


@pytest.mark.parametrize(
    "value", ["", b"", [], io.BytesIO(), io.StringIO(), iter(())], ids=lambda value: type(value).__name__
)
def test_nothing(value: Any) -> None:
    """What is empty is an empty object, not an error."""
    assert read(value) == b""


@pytest.mark.parametrize("make", [Path, OwnPath, lambda name: ObjectStoragePath(f"file://{name}")])
def test_paths(tmp_path: Path, make: Callable[[str], Any]) -> None:
    """A path is read; a text is never taken for one."""
    path = tmp_path / "rows.csv"
    path.write_bytes(TEXT.encode())
    assert read(make(str(path))) == TEXT.encode()
    assert read(str(path)) == str(path).encode()


def test_only_a_path_of_this_worker_is_local(tmp_path: Path) -> None:
    """Only files of this machine can be read at any place by name."""
    assert Output(tmp_path / "a", "function").local_path == tmp_path / "a"
    assert Output(ObjectStoragePath("file:///a"), "function").local_path is None
    assert Output("/a", "function").local_path is None


def test_large_reads_are_cut() -> None:
    """A file object is asked for a piece at a time."""
    assert {len(chunk) for chunk in Output(io.BytesIO(bytes(3 << 20)), "function")} == {1 << 20}


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, "rows returned None: .*AirflowSkipException"),
        (7, "rows returned an int: "),
        ({"id": 1}, "rows returned a dict: .*json.dumps"),
        ({"a", "b"}, "rows returned a set: "),
        (Table(), "rows returned a Table: .*to_csv"),
        (object(), "rows returned an object: "),
    ],
)
def test_what_cannot_be_stored(value: Any, told: str) -> None:
    """What is neither content nor a way to it is refused at once, with the function's name and what would do."""
    with pytest.raises(OSSInvalidArgument, match=told):
        Output(value, "rows")


@pytest.mark.parametrize("chunk", [None, 7, ("a", "b"), ["a"], {"id": 1}])
def test_chunks_that_are_neither(chunk: Any) -> None:
    """What is yielded must be bytes or str."""
    with pytest.raises(OSSInvalidArgument, match=f"rows gave an? {type(chunk).__name__}: return or yield bytes or str"):
        list(Output([b"fine", chunk], "rows"))


def test_a_file_that_has_nothing_yet() -> None:
    """A file object that gives None, as one that must not block does, has not ended: it is refused."""
    with pytest.raises(OSSInvalidArgument, match="rows gave a NoneType"):
        list(Output(type("Pipe", (), {"read": lambda *_: None})(), "rows"))


def test_text_that_is_none() -> None:
    """A lone surrogate, which UTF-8 cannot express, is refused with a remedy."""
    with pytest.raises(OSSInvalidArgument, match=r"rows gave text that UTF-8 cannot express .* give bytes"):
        list(Output(["\ud800"], "rows"))


def test_async_functions() -> None:
    """What an async function returns is refused, and leaves no warning that nobody awaited it."""

    async def rows() -> str:
        return TEXT

    async def generated() -> Any:
        yield TEXT

    with pytest.raises(OSSInvalidArgument, match="rows returned a coroutine: "):
        Output(rows(), "rows")
    with pytest.raises(OSSInvalidArgument, match="rows returned an async_generator: "):
        Output(generated(), "rows")


# Closing


def test_generators_are_closed() -> None:
    """The finally block of a generator that was not read to its end runs, once."""
    ended = []

    def rows() -> Iterator[str]:
        try:
            yield from itertools.repeat("row\n")
        finally:
            ended.append(True)

    output = Output(rows(), "rows")
    assert next(iter(output)) == b"row\n"
    assert not ended
    output.close()
    output.close()
    assert ended == [True]


def test_iterators_of_iterables_are_closed() -> None:
    """So does that of the generator that an iterable object makes of itself."""
    rows = Rows()
    output = Output(rows, "rows")
    next(iter(output))
    output.close()
    assert rows.cleaned_up


@pytest.mark.parametrize("file", [io.BytesIO(b"data"), io.StringIO("data")])
def test_files_are_closed(file: Any) -> None:
    """A file object is closed, even if nobody read it."""
    Output(file, "rows").close()
    assert file.closed


def test_what_is_refused_is_closed() -> None:
    """An object that cannot be stored is closed before it is refused."""
    closed = []
    with pytest.raises(OSSInvalidArgument):
        Output(type("Connection", (), {"close": lambda _: closed.append(True)})(), "rows")
    assert closed == [True]


def test_a_path_that_is_read_is_closed(tmp_path: Path) -> None:
    """A file that was opened for a path is closed in the middle of reading."""
    path = tmp_path / "file"
    path.write_bytes(bytes(3 << 20))
    output = Output(path, "rows")
    next(iter(output))
    assert descriptors_of(path) == 1
    output.close()
    assert descriptors_of(path) == 0
