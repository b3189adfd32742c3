"""What a kind of transfer has to say of itself, and what is promised of every one of them, whatever goes wrong."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Any, ClassVar

from airflow_provider_oss.exceptions import OSSProviderError
from tests.chaos.client import UNDISTURBED, Interference
from tests.chaos.edges import StateFile, checkpoints_in
from tests.chaos.scenario import Scene
from tests.chaos.tasks import TASK_ID, Attempt
from tests.chaos.world import CONN_ID, PART_BYTES, World, bytes_sent_again, demand

IN_PARTS = ("InitiateMultipartUpload", "ListParts", "UploadPart", "CompleteMultipartUpload")
"""What an upload in parts asks, begun and continued."""


class Expected(Enum):
    """What a fault makes of an attempt, at the worst: success is always right, if what there is then is right."""

    INVISIBLE = auto()
    """It succeeds."""
    REPEATED = auto()
    """It succeeds when that happens once, because the call is repeated; else as the next."""
    RETRIED = auto()
    """It fails, and another attempt may succeed."""
    FOR_GOOD = auto()
    """It fails, and no retry can mend it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer(ABC):
    """One kind of transfer: how its source is made, how it is run, what is right. Plain data, for other processes."""

    key: str
    """Everything it stores is below this prefix, which ends with a slash."""
    folder: Path
    """Where its source is, if that is on this machine. Other transfers of the same scenario have the same."""
    state: StateFile
    parallel: int = 2

    name: ClassVar[str]
    calls: ClassVar[tuple[str, ...]]
    """The operations that it asks of OSS when nothing goes wrong, from the beginning or continued."""
    continues: ClassVar[bool] = True
    """Whether another attempt begins with what an earlier one has done, and lets nothing be billed for ever."""
    moves_bytes: ClassVar[bool] = True
    """Whether a process can die in the middle of a body."""
    source_faults: ClassVar[Mapping[str, Expected]] = {}
    """What can go wrong with the source, which is another server, and what an attempt makes of it when it goes on."""

    @classmethod
    @contextmanager
    def staged(cls, scene: Scene) -> Iterator[Mapping[str, Any]]:
        """Make what all transfers of a scenario share; yield their arguments beyond the common ones."""
        del scene
        yield {}

    @abstractmethod
    def make_source(self, world: World, random: random.Random) -> None:
        """Make the source, or replace it by another one; while it is read, too."""

    def make_old(self, world: World) -> None:  # noqa: B027 - mostly there was nothing
        """Put what was there before."""

    @abstractmethod
    def operator(self) -> Any:
        """Return the operator."""

    def arguments(self) -> dict[str, Any]:
        """Return what all operators take that send or receive parts."""
        return {"task_id": TASK_ID, "oss_conn_id": CONN_ID, "part_size": PART_BYTES, "parallel": self.parallel}

    def meanwhile(self, world: World) -> Interference:
        """Return what happens around the requests of an attempt, whatever goes wrong."""
        del world
        return UNDISTURBED

    def hasten(self, world: World) -> None:  # noqa: B027 - mostly nothing does
        """Let happen now what happens meanwhile, for an attempt in another process."""

    def contents(self, world: World) -> dict[str, bytes]:
        """Return all that there is where the transfer writes, by names that do not depend on ``key``."""
        found = world.holdings(self.key).objects
        return {key.removeprefix(self.key): content for key, content in found.items()}

    @abstractmethod
    def check(self, contents: Mapping[str, bytes], result: Any) -> None:
        """Demand that the contents, and what the operator returned, are those of the source as it is now."""

    def half_done(self, world: World) -> dict[str, bytes]:
        """Return the contents without what only a later attempt reads."""
        return self.contents(world)

    def may_leave(self, fault: str, operation: str) -> bool:
        """Whether this may leave an upload that nobody continues, which the log names, or would if it still could."""
        if (fault, operation) in (("denied", "AbortMultipartUpload"), ("denied", "ListMultipartUploads")):
            return True
        return not self.continues and (fault in ("death", "refused", "expired") or operation == "AbortMultipartUpload")

    def kept(self) -> frozenset[str]:
        """Return the ranges, as HTTP has them, that an attempt has left, and that a later one need not ask for."""
        return frozenset()

    def source_calls(self) -> int:
        """Return how often the source was asked."""
        return 0

    def spoil_source(self, fault: str, skip: int, *, always: bool) -> None:  # noqa: B027 - most are no server
        """Let the source misbehave when it was asked so many times more: once, or from then on."""

    def mend_source(self) -> None:  # noqa: B027 - as above
        """Let it behave."""

    def goes_unnoticed(self, fault: str, operation: str) -> bool:
        """Whether nobody can notice: the bytes that are wrong have no checksum."""
        del fault, operation
        return False

    def may_miss_surplus(self, fault: str, operation: str) -> bool:
        """Whether the next run alone may see what is to be deleted: a key in a listing, which has no checksum."""
        del fault, operation
        return False

    def may_fail(self, fault: str, operation: str) -> bool:
        """Whether an attempt may fail, to be retried, of what others do not notice: it cannot repeat the call."""
        del fault, operation
        return False

    def finish(self, world: World) -> None:  # noqa: B027 - mostly nobody else is at work
        """Finish the uploads that are under way, as another worker would."""


@dataclass(frozen=True, slots=True)
class Versions:
    """What may be read under each name: the old content, or a new one; where None is among them, nothing."""

    of: Mapping[str, frozenset[bytes | None]]

    @classmethod
    def between(cls, old: Mapping[str, bytes], *new: Mapping[str, bytes]) -> Versions:
        """Return what may be there on the way from the old contents to one of the new ones."""
        every = (old, *new)
        names = {name for one in every for name in one}
        return cls({name: frozenset(one.get(name) for one in every) for name in names})

    def check(self, contents: Mapping[str, bytes]) -> None:
        """Demand that nothing is lost and nothing is mixed."""
        for name in contents.keys() | self.of.keys():
            demand(
                contents.get(name) in self.of.get(name, frozenset({None})),
                f"{name!r} is as it was or as it will be, whole, and not {_shown(contents.get(name))}",
            )


def _shown(content: bytes | None) -> str:
    return "missing" if content is None else f"{len(content)} bytes {content[:40]!r}..."


def named_uploads(state: StateFile) -> dict[str, str]:
    """Return key and upload id, empty for one about to begin, of all checkpoints that are kept."""
    return {one["key"]: one["upload_id"] for one in checkpoints_in(state.content).values()}


def check_nothing_forgotten(world: World, transfer: Transfer) -> None:
    """
    Demand that each upload that is left is named by a checkpoint, or looked for.

    It is by what has saved no id yet, or one that OSS does not know, for it was damaged on its way.
    """
    named, uploads = named_uploads(transfer.state), world.holdings(transfer.key).uploads
    known = {upload_id for _, upload_id in uploads}
    for key, upload_id in uploads:
        found = named.get(key)
        is_looked_for = found is not None and found not in known
        demand(found == upload_id or is_looked_for, f"upload {upload_id} of {key} is named by a checkpoint: {named}")


def check_nothing_left(world: World, transfer: Transfer) -> None:
    """Demand that no upload is left, and no checkpoint."""
    uploads = world.holdings(transfer.key).uploads
    demand(not uploads, f"no upload is left: {sorted(uploads)}")
    named = named_uploads(transfer.state)
    demand(not named, f"no checkpoint is left: {named}")


def check_nothing_sent_again(world: World, transfer: Transfer, fault: str) -> int:
    """Demand that nothing was sent again that was known to be stored; return the bytes that were."""
    again = bytes_sent_again(world.records, transfer.key)
    demand(not again or fault in _SEND_AGAIN, f"{again} bytes were sent again although OSS had acknowledged them")
    return 0 if fault in _SEND_AGAIN else again


_SEND_AGAIN = ("flip-sent", "moved", "stall", "refused")
"""
What is damaged or has changed is replaced; with a short timeout an acknowledgement may come too late, and a server that
closes its port cuts what it is about to answer to other calls.
"""

_INVISIBLE = ("clock", "expired-renewed", "gone", "finished", "slow")
"""What no attempt fails of, however often it happens."""
_NOT_MENDED_BY_REPEATING = ("expired", "moved")


def expected(transfer: Transfer, fault: str, operation: str) -> Expected:
    """Return what a fault at a call of OSS makes of an attempt."""
    if fault == "denied":
        return Expected.FOR_GOOD
    if fault in _NOT_MENDED_BY_REPEATING or transfer.may_fail(fault, operation):
        return Expected.RETRIED
    return Expected.INVISIBLE if fault in _INVISIBLE else Expected.REPEATED


def judge(ended: Attempt, expectation: Expected, *, always: bool) -> None:
    """Demand that the attempt succeeded if it could, and that its error says rightly whether another one may."""
    if ended.error is None:
        return
    is_invisible = expectation is Expected.INVISIBLE or (expectation is Expected.REPEATED and not always)
    demand(not is_invisible, f"the fault is invisible, but: {ended}")
    if expectation is Expected.FOR_GOOD:
        demand(ended.permanent, f"Airflow does not retry, but: {ended}")
    else:
        demand(isinstance(ended.error, OSSProviderError) and not ended.permanent, f"Airflow retries, but: {ended}")
