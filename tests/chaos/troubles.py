"""How each fault of the outcome table is made: in the local OSS server, or by what happens just before a call."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Final

from airflow_provider_oss.emulator import Fault
from tests.chaos import outcomes
from tests.chaos.client import Interference
from tests.chaos.tasks import Work
from tests.chaos.world import TOKEN_LIFE_SECONDS, World

_MIB: Final = 1024 * 1024
_CLOCK_ERROR_SECONDS: Final = 1800.0
_STALL_SECONDS: Final = 0.6
_ENTITIES: Final = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
_BOMB: Final = (
    f'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY e0 "ha">{_ENTITIES}]><r><UploadId>&e9;</UploadId></r>'.encode()
)

_SCRIPTED: Final[dict[str, dict[str, Any]]] = {
    "reset": {"reset": "before"},
    "reset-midway": {"reset_after_bytes": 30_000},
    "answer-lost": {"reset": "after"},
    "stall": {"stall": True},
    "500": {"status": 500, "code": "InternalError"},
    "503": {"status": 503, "code": "ServiceUnavailable"},
    "429": {"status": 429, "code": "QpsLimitExceeded"},
    "request-timeout": {"status": 400, "code": "RequestTimeout"},
    "denied": {"status": 403, "code": "AccessDenied"},
    "flip-sent": {"corrupt_request_byte": 7},
    "flip-answer": {"corrupt_response_byte": 41},
    "truncated": {"truncate_response": True},
    "no-xml": {"response_body": b"It works!"},
    "bomb": {"response_body": _BOMB},
    "huge": {"response_body": b"<r>" + b" " * (17 * _MIB) + b"</r>"},
    "not-oss": {"foreign": True},
    "slow": {"latency_seconds": 0.02, "rate_bytes_per_second": 4_000_000.0},
}
"""What the local server is told to do."""
_WHICH: Final = frozenset({"operation", "key", "part_number", "skip", "times", "message"})
"""What of a fault says no more than which requests it hits."""

FAULTS: Final = tuple(dict.fromkeys((*outcomes.FAULTS, *_SCRIPTED)))
"""Everything that can go wrong with a request."""
ALSO: Final = {
    "reset-midway": "a connection that breaks in the middle of a body",
    "slow": "a slow server",
}
"""Of these, what the outcome table does not have, for people."""
NEEDS_OWN_SERVER: Final = frozenset({"refused", "clock", "expired", "expired-renewed"})
"""These turn the server's clock or close its port."""


_OF_ANSWERS: Final = frozenset({"flip-answer", "truncated", "no-xml", "bomb", "huge"})
_WITHOUT_ANSWER: Final = frozenset({"AbortMultipartUpload", "DeleteObject", "HeadObject"})
_WITH_BODY: Final = frozenset(
    {"PutObject", "UploadPart", "CompleteMultipartUpload", "DeleteMultipleObjects", "PutObjectTagging"}
)
_OF_BODIES: Final = frozenset({"flip-sent", "reset-midway"})


def can_meet(fault: str, operation: str) -> bool:
    """Whether the fault can meet such a request: it, or its answer, has the body that the fault spoils."""
    if fault in _OF_ANSWERS:
        return operation not in _WITHOUT_ANSWER
    return fault not in _OF_BODIES or operation in _WITH_BODY


def unplayed() -> set[str]:
    """Return what the server can do to a request and no fault here makes it do."""
    return {item.name for item in fields(Fault)} - _WHICH - {name for how in _SCRIPTED.values() for name in how}


@dataclass(frozen=True, slots=True)
class Trouble:
    """One fault at a task's call behind ``skip`` others of the operation: at that one alone, or at all from it on."""

    fault: str
    operation: str
    always: bool
    skip: int = 0
    flipped_byte: int | None = None
    """Which byte of a body has the flipped bit; None for one that matters in small bodies."""

    def begin(self, world: World, work: Work) -> Interference:
        """Put the fault in force; return what is to happen around the calls."""
        if self.fault == "stall":
            world.connect(read_timeout=_STALL_SECONDS)
        if self.fault in _SCRIPTED:
            world.server.faults.add(self._scripted())
            return Interference()
        match self.fault:
            case "refused":
                return _Refusal(world, self).interference()
            case "clock":
                return self._clock(world)
            case "gone":
                return self._once(lambda: world.abort_all(work.key))
            case "finished":
                return self._once(lambda: work.finish(world))
        world.connect(session=1)
        return self._once(lambda: _expire(world, renewed=self.fault == "expired-renewed"))

    def _scripted(self) -> Fault:
        how = _SCRIPTED[self.fault]
        if self.flipped_byte is not None and self.fault.startswith("flip"):
            how = dict.fromkeys(how, self.flipped_byte)
        return Fault(operation=self.operation, skip=self.skip, times=None if self.always else 1, **how)

    def _clock(self, world: World) -> Interference:
        """The clock is off from the beginning, or jumps just before the call."""
        if not self.always:
            return self._once(lambda: world.turn_clock(_CLOCK_ERROR_SECONDS))
        world.turn_clock(_CLOCK_ERROR_SECONDS)
        return Interference()

    def _once(self, act: Callable[[], None]) -> Interference:
        return Interference(before=FirstTime(self.operation, act, self.skip))


def _expire(world: World, *, renewed: bool) -> None:
    world.turn_clock(TOKEN_LIFE_SECONDS + 1)
    if renewed:
        world.connect(session=2)


class FirstTime:
    """Acts before one call of one operation, the first behind ``skip``; others that come meanwhile wait."""

    def __init__(self, operation: str, act: Callable[[], None], skip: int = 0) -> None:
        self._operation = operation
        self._act = act
        self._lock = threading.Lock()
        self._left = skip + 1

    def __call__(self, operation: str) -> None:
        with self._lock:
            if operation == self._operation:
                self._left -= 1
                if self._left == 0:
                    self._act()


class _Refusal:
    """Closes the port before a call, and opens it when the first request has failed of that, or not at all."""

    def __init__(self, world: World, trouble: Trouble) -> None:
        self._world = world
        self._close = FirstTime(trouble.operation, world.close, trouble.skip)
        self._always = trouble.always

    def interference(self) -> Interference:
        return Interference(before=self._close, after=self._open)

    def _open(self, _operation: str) -> None:
        if not self._always:
            self._world.open()
