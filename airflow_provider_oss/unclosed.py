"""Files that are written and not closed yet: they are stored only then, so a task that loses one must not succeed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from airflow_provider_oss.exceptions import OSSFileNotClosed


@dataclass(eq=False, slots=True)
class UnclosedFile:
    """
    A file from when it is opened until it is decided whether there will be an object.

    It does not hold the file: one that nobody holds any more is collected, and stays in the register of the attempt.
    """

    uri: str
    written_bytes: int = 0
    _attempts: list[set[UnclosedFile]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._attempts = list(_attempts_under_way.values())
        for unclosed in self._attempts:
            unclosed.add(self)

    def is_decided(self) -> None:
        """Note that the file was closed, or given up by who wrote it."""
        for unclosed in self._attempts:
            unclosed.discard(self)


_attempts_under_way: Final[dict[int, set[UnclosedFile]]] = {}
"""What is unclosed of each, whichever thread opened it, by the set's identity: several may hold the same files."""


@contextmanager
def losing_no_file() -> Iterator[None]:
    """Raise OSSFileNotClosed at the end of the block when a file that was opened in it is still not closed."""
    unclosed: set[UnclosedFile] = set()
    _attempts_under_way[id(unclosed)] = unclosed
    try:
        yield
    finally:
        del _attempts_under_way[id(unclosed)]
    if unclosed:
        files = ", ".join(f"{one.uri} ({one.written_bytes} bytes)" for one in sorted(unclosed, key=lambda one: one.uri))
        raise OSSFileNotClosed(
            f"not closed, so nothing of it is stored: {files}; open it in a `with` block, or close it"
        )
