"""Waiting until the objects below a prefix change no more."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_oss.exceptions import ErrorDetails, OSSObjectsDeleted
from airflow_provider_oss.hooks.renewal import renewing
from airflow_provider_oss.watch.objects import FoundObject, Snapshot, listed, snapshot

if TYPE_CHECKING:
    from airflow_provider_oss.hooks.oss import OSSHook
    from airflow_provider_oss.model import ObjectPrefix

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WatchedPrefix:
    """What is waited for. Plain values only: a trigger is stored with it."""

    prefix: str
    bucket_name: str | None
    inactivity_period: float
    """In seconds."""
    min_objects: int = 1
    allow_delete: bool = True


@dataclass(frozen=True, slots=True)
class Settling:
    """What is below the prefix, and since when it is known to be so."""

    uri: str
    snapshot: Snapshot
    since: float
    """In unix seconds, by the clock of who looked."""
    keys: frozenset[str] | None = None
    """Kept, while the same process looks, only where a deletion has to be noticed; never stored."""

    def stored(self) -> dict[str, Any]:
        """Return what may be stored: all but the keys."""
        return {"uri": self.uri, "snapshot": asdict(self.snapshot), "since": self.since}

    @classmethod
    def restored(cls, stored: Mapping[str, Any]) -> Self:
        """Return what ``stored`` was made of."""
        return cls(stored["uri"], Snapshot(**stored["snapshot"]), stored["since"])

    def waiting_for(self, watched: WatchedPrefix, now: float) -> str | None:
        """Return what is still waited for, in a line; None when all has settled."""
        there = f"{self.uri} has {self.snapshot.objects} objects of {self.snapshot.size} bytes in all"
        if self.snapshot.objects < watched.min_objects:
            return f"{there}: {watched.min_objects} are waited for"
        if (quiet := max(now - self.since, 0.0)) < watched.inactivity_period:
            return f"{there}, unchanged for {quiet:.0f} of {watched.inactivity_period:g} s"
        return None

    def result(self) -> dict[str, Any]:
        """Return what is there as plain data."""
        return {
            "uri": self.uri,
            "objects": self.snapshot.objects,
            "size": self.snapshot.size,
            "unchanged_since": datetime.fromtimestamp(self.since, UTC).isoformat(),
        }


class PrefixWatch:
    """Looks below a prefix again and again. ``settling`` is what was seen so far."""

    def __init__(self, watched: WatchedPrefix, settling: Settling | None = None) -> None:
        self.watched = watched
        self.settling = settling

    def look(self, hook: OSSHook) -> dict[str, Any] | None:
        """Return what is there when it has settled; else say in the log what is waited for and return None."""
        begun = time.time()
        self.settling = renewing(hook, lambda: look_below(hook, self.watched, self.settling))
        if (waiting_for := self.settling.waiting_for(self.watched, begun)) is not None:
            log.info("Waiting: %s", waiting_for)
            return None
        return self.settling.result()


def look_below(hook: OSSHook, watched: WatchedPrefix, before: Settling | None) -> Settling:
    """
    Look below the prefix, and compare with what was there before.

    Raises OSSObjectsDeleted when something was deleted and that is not allowed.
    """
    prefix = hook.resolve_prefix(watched.prefix, watched.bucket_name)
    keys: set[str] | None = None if watched.allow_delete else set()
    seen = snapshot(_below(hook, prefix, keys))
    # What changes while the listing goes on may be in it, so the quiet time begins with its end
    after = compared(before, Settling(prefix.uri, seen, time.time(), None if keys is None else frozenset(keys)))
    if before is not None and not watched.allow_delete:
        _check_nothing_deleted(before, after, ErrorDetails(prefix.bucket))
    return after


def _below(hook: OSSHook, prefix: ObjectPrefix, keys: set[str] | None) -> Iterator[FoundObject]:
    """Yield the objects, without those that stand for a folder, and note their keys if there is a set for them."""
    for entry in hook.list_objects(prefix.uri):
        if not entry.ref.key.endswith("/"):
            if keys is not None:
                keys.add(entry.ref.key)
            yield listed(entry)


def compared(before: Settling | None, after: Settling) -> Settling:
    """Return ``after`` with the time since when it is so: that of ``before`` if both have the same objects."""
    if before is None or before.snapshot != after.snapshot:
        return after
    # Another machine's clock may be ahead: what it noted must not lengthen the wait
    return Settling(after.uri, after.snapshot, min(before.since, after.since), after.keys)


def _check_nothing_deleted(before: Settling, after: Settling, details: ErrorDetails) -> None:
    """Without the keys of before, which are lost when the look moves to another process, numbers have to do."""
    if before.keys is not None and after.keys is not None:
        gone = sorted(before.keys - after.keys)
        count, names = len(gone), f", {gone[0]!r} among them" if gone else ""
    else:
        count, names = before.snapshot.objects - after.snapshot.objects, ""
    if count > 0:
        raise OSSObjectsDeleted(
            f"{count} objects below {after.uri} were deleted while the sensor waited{names}; with allow_delete=True "
            "that only begins the wait anew",
            details,
        )
