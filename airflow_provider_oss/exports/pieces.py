"""Where a result is cut into pieces, and what they are called. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.exports.columns import Batch, Row

INDEX: Final = "{index}"
_DIGITS: Final = 5
_COMPRESSION_SUFFIXES: Final = (".gz", ".zst")


@dataclass(frozen=True, slots=True)
class Split:
    """When a piece ends. None: never."""

    rows: int | None = None
    size_bytes: int | None = None
    """Of the file as it is stored: the batch of rows that reaches it is the piece's last."""

    def __post_init__(self) -> None:
        for name, value in (("split_rows", self.rows), ("split_bytes", self.size_bytes)):
            if value is not None and value < 1:
                raise OSSInvalidArgument(f"{name}={value} must be at least 1")

    @property
    def is_wanted(self) -> bool:
        """Whether there may be several pieces."""
        return self.rows is not None or self.size_bytes is not None


class Pieces:
    """
    Hands the rows of a result out in batches, one piece after the other.

    Where it cuts depends on the rows and their bytes only, not on how a driver happens to deliver them.
    """

    def __init__(self, rows: Iterator[Row], batch_rows: int, split: Split) -> None:
        self._rows = rows
        self._ahead: list[Row] = []
        self._batch_rows = batch_rows
        self._split = split
        self.rows = 0
        """Handed out for the piece at hand."""
        self.size_bytes = 0
        """Written of the piece at hand: whoever writes it counts here."""

    def has_more(self) -> bool:
        """Whether there is another row."""
        if not self._ahead:
            self._ahead = list(islice(self._rows, 1))
        return bool(self._ahead)

    def piece(self) -> Iterator[Batch]:
        """Begin a piece: yield its rows."""
        self.rows = self.size_bytes = 0
        while not self._is_full() and (batch := self._take(self._next_rows())):
            self.rows += len(batch)
            yield batch

    def _take(self, count: int) -> list[Row]:
        ahead, self._ahead = self._ahead, []
        return [*ahead, *islice(self._rows, count - len(ahead))]

    def _is_full(self) -> bool:
        rows, size_bytes = self._split.rows, self._split.size_bytes
        return (rows is not None and self.rows >= rows) or (
            size_bytes is not None and self.rows > 0 and self.size_bytes >= size_bytes
        )

    def _next_rows(self) -> int:
        return self._batch_rows if self._split.rows is None else min(self._batch_rows, self._split.rows - self.rows)


def piece_key(key: str, index: int) -> str:
    """
    Return the key of a piece: the number, from 00000 on, in place of ``{index}``, else before the name's suffix.

    ``a/b.csv`` becomes ``a/b-00000.csv``, ``a/b.csv.gz`` becomes ``a/b-00000.csv.gz``. No two pieces have the same key.
    """
    number = f"{index:0{_DIGITS}}"
    if INDEX in key:
        return key.replace(INDEX, number)
    stem, suffix = _split_suffix(key)
    return f"{stem}-{number}{suffix}"


def manifest_key(key: str) -> str:
    """Return the key of the manifest of the pieces of ``key``: ``a/b.csv`` becomes ``a/b-manifest.json``."""
    stem, _ = _split_suffix(key)
    if INDEX in stem:
        return f"{stem.replace(INDEX, 'manifest')}.json"
    return f"{stem}-manifest.json"


def check_keys(key: str, manifest: str | None, *, is_split: bool) -> None:
    """Raise OSSInvalidArgument when objects of one export would take each other's place."""
    if not is_split and INDEX in key:
        raise OSSInvalidArgument(f"key={key!r} numbers pieces, but there is one object: give split_rows or split_bytes")
    if manifest is None:
        return
    before, after = piece_key(key, 0).split("0" * _DIGITS, 1) if is_split else (key, "")
    number = manifest.removeprefix(before).removesuffix(after)
    if manifest == key or (is_split and f"{before}{number}{after}" == manifest and number.isdecimal()):
        raise OSSInvalidArgument(f"manifest={manifest!r} is the key of exported rows too: give it another one")


def _split_suffix(key: str) -> tuple[str, str]:
    """Return the key without and with only the suffix of its name; a compression's belongs to the one before it."""
    folder, slash, name = key.rpartition("/")
    stem, suffix = _last_suffix(name)
    if suffix in _COMPRESSION_SUFFIXES:
        stem, inner = _last_suffix(stem)
        suffix = inner + suffix
    return f"{folder}{slash}{stem}", suffix


def _last_suffix(name: str) -> tuple[str, str]:
    stem, dot, suffix = name.rpartition(".")
    return (stem, f".{suffix}") if stem and dot else (name, "")
