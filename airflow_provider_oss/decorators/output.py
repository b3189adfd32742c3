"""What a decorated function gives, read as bytes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import ExitStack
from typing import Any, Final

from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.limits import MIB
from airflow_provider_oss.operators.streams import chunks_of_path

_READ_BYTES: Final = MIB
_WANTED: Final = (
    "return or yield bytes or str, or return an iterable of these, a file object, a pathlib.Path or ObjectStoragePath"
)


class Output:
    """
    What one call of a function gave: to be iterated once for its bytes, and closed.

    Closing it ends a generator, so that its ``finally`` blocks run, and closes a file object. ``name`` is the
    function's. Raises OSSInvalidArgument for what cannot be stored, which is closed then.
    """

    def __init__(self, value: Any, name: str) -> None:
        self._value = value
        self._name = name
        with ExitStack() as stack:
            self._close_later(value, stack)
            self._chunks = self._read(stack)
            self._stack = stack.pop_all()

    @property
    def local_path(self) -> os.PathLike[str] | None:
        """The path of a file on this worker, if that is what the function gave."""
        return self._value if isinstance(self._value, os.PathLike) and not _is_object_storage(self._value) else None

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks

    def close(self) -> None:
        """Release what the function gave. A second time does nothing."""
        self._stack.close()

    def _read(self, stack: ExitStack) -> Iterator[bytes]:
        value = self._value
        if isinstance(value, str | bytes | bytearray | memoryview):
            return iter((self._encoded(value),))
        if isinstance(value, os.PathLike) or _is_object_storage(value):
            chunks = chunks_of_path(value)
        elif hasattr(value, "read"):
            return iter(lambda: self._encoded(value.read(_READ_BYTES)), b"")
        elif _is_in_order(value):
            chunks = iter(value)
        else:
            raise OSSInvalidArgument(f"{self._name} returned {self._described()}")
        self._close_later(chunks, stack)
        return map(self._encoded, chunks)

    def _encoded(self, chunk: Any) -> bytes:
        if isinstance(chunk, bytes | bytearray | memoryview):
            return bytes(chunk)
        if not isinstance(chunk, str):
            raise OSSInvalidArgument(f"{self._name} gave a {type(chunk).__name__}: {_WANTED}")
        try:
            return chunk.encode()
        except UnicodeEncodeError as error:
            raise OSSInvalidArgument(
                f"{self._name} gave text that UTF-8 cannot express ({error.reason}): give bytes, encoded as you want"
            ) from error

    def _described(self) -> str:
        if self._value is None:
            return f"None: {_WANTED}; raise AirflowSkipException when there is nothing to store"
        return f"a {type(self._value).__name__}: {_WANTED}; write anything else as text first (json.dumps, to_csv, ...)"

    @staticmethod
    def _close_later(value: Any, stack: ExitStack) -> None:
        close = getattr(value, "close", None)
        if callable(close):
            stack.callback(close)


def _is_in_order(value: Any) -> bool:
    """Whether iterating gives the content: not so of dicts (keys), sets (no order), data frames (names of columns)."""
    has_other_content = isinstance(value, Mapping | AbstractSet) or hasattr(value, "__dataframe__")
    return isinstance(value, Iterable) and not has_other_content


def _is_object_storage(value: Any) -> bool:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    return isinstance(value, ObjectStoragePath)
