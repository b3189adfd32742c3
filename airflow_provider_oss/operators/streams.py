"""The ``stream`` argument of operators: a function of the task's context, or what ObjectStoragePath opens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from airflow_provider_oss.limits import MIB

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, ObjectStoragePath

_READ_BYTES: Final = MIB


class StreamFunction:
    """Holds a function that ``execute`` calls: Airflow calls a bare one when it renders the template fields."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    @property
    def name(self) -> str:
        """The function's name."""
        return name_of_function(self.function)

    def __repr__(self) -> str:
        """Say the same in every process, for it becomes part of the serialized DAG."""
        return f"<callable {self.name}>"


def name_of_function(function: Callable[..., Any]) -> str:
    """Return the function's name, or that of the class of another callable."""
    return str(getattr(function, "__qualname__", type(function).__qualname__))


def as_argument(stream: Callable[..., Any] | ObjectStoragePath | str) -> StreamFunction | ObjectStoragePath | str:
    """Return what the operator keeps of its argument."""
    return StreamFunction(stream) if callable(stream) else stream


def open_stream(stream: StreamFunction | ObjectStoragePath | str, context: Context) -> Any:
    """Call the function with those values of the context that its parameters name, or read what the path leads to."""
    from airflow.providers.common.compat.sdk import ObjectStoragePath, determine_kwargs

    if isinstance(stream, StreamFunction):
        return stream.function(**determine_kwargs(stream.function, (), context))
    return chunks_of_path(ObjectStoragePath(stream))


def name_of(stream: StreamFunction | ObjectStoragePath | str) -> str:
    """Return what a log and a checkpoint may show of it: of a URL neither user nor query, which may be secrets."""
    if isinstance(stream, StreamFunction):
        return stream.name
    parts = urlsplit(str(stream))
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}" if parts.scheme else parts.path


def urls_of(stream: StreamFunction | ObjectStoragePath | str) -> tuple[str, ...]:
    """Return what is read, as one URL or path; nothing when a function is called."""
    return () if isinstance(stream, StreamFunction) else (str(stream),)


def chunks_of_path(path: ObjectStoragePath) -> Iterator[bytes]:
    """Yield what is in a file, wherever it is."""
    with path.open("rb") as file:  # type: ignore[no-untyped-call]  # of universal_pathlib
        while chunk := file.read(_READ_BYTES):
            yield chunk
