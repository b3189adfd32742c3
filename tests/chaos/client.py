"""What is to happen around the requests to OSS: whoever interferes is told before and after each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final
from unittest.mock import patch

from airflow_provider_oss.clients.upload_client import OSSApi
from airflow_provider_oss.emulator.operations.routes import find_operation
from airflow_provider_oss.emulator.wire.http import Request, Target
from airflow_provider_oss.exceptions import ErrorDetails


def _nothing(_operation: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Interference:
    """Called with OSS's name of the operation, in the thread of the request."""

    before: Callable[[str], None] = _nothing
    after: Callable[[str], None] = _nothing
    """Also when the request failed."""
    acknowledged: list[tuple[str, int]] = field(default_factory=list)
    """Upload id and number of every part whose acknowledgement arrived."""

    def and_then(self, other: Interference) -> Interference:
        """Return what does both: the other one acts nearer to the request."""

        def before(operation: str) -> None:
            self.before(operation)
            other.before(operation)

        def after(operation: str) -> None:
            other.after(operation)
            self.after(operation)

        return Interference(before, after, self.acknowledged)


UNDISTURBED: Final = Interference()

_IN_FORCE: Final[ContextVar[Interference]] = ContextVar("interference", default=UNDISTURBED)


@contextmanager
def interfering(interference: Interference) -> Iterator[None]:
    """Let the clients that are made in this context, inside ``disturbable``, obey the interference for good."""
    token = _IN_FORCE.set(interference)
    try:
        yield
    finally:
        _IN_FORCE.reset(token)


@contextmanager
def disturbable() -> Iterator[None]:
    """Make clients that can be interfered with, in this block, and let no repetition wait."""
    original = OSSApi.__init__

    def make(api: OSSApi, *args: Any, **kwargs: Any) -> None:
        original(api, *args, **kwargs)
        vars(api)["_begin"] = _disturbed(api._begin, _IN_FORCE.get())

    with patch.object(OSSApi, "__init__", make), patch("airflow_provider_oss.engine.retry.pause", _do_not_wait):
        yield


def _do_not_wait(_seconds: float, check: Callable[[], None], **_: Any) -> None:
    check()


def _disturbed(begin: Callable[..., Callable[[], Any]], interference: Interference) -> Callable[..., Any]:
    def begin_disturbed(
        method: str,
        details: ErrorDetails,
        params: Mapping[str, str],
        headers: Mapping[str, str],
        *args: Any,
        **more: Any,
    ) -> Callable[[], Any]:
        operation = _operation(method, details, params, headers)
        interference.before(operation)
        try:
            answer = begin(method, details, params, headers, *args, **more)
        except BaseException:
            interference.after(operation)
            raise

        def finish() -> Any:
            try:
                response = answer()
            finally:
                interference.after(operation)
            if operation == "UploadPart":
                interference.acknowledged.append((params["uploadId"], int(params["partNumber"])))
            return response

        return finish

    return begin_disturbed


def _operation(
    method: str, details: ErrorDetails, params: Mapping[str, str], headers: Mapping[str, str]
) -> str:  # fmt: skip
    """Return OSS's name for a request, as the local server has it."""
    target = Target(details.bucket or "", details.key or "")
    return find_operation(Request(method, b"", tuple(params.items()), headers), target).name
