"""Waiting for keys: which objects count, and whether all that is waited for is there."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from airflow_provider_oss.exceptions import OSSNoSuchKey
from airflow_provider_oss.hooks.renewal import renewing
from airflow_provider_oss.transfer.tree.globs import has_wildcard, key_matcher, literal_prefix
from airflow_provider_oss.uri import SCHEME
from airflow_provider_oss.watch.objects import FoundObject, described, listed, snapshot

if TYPE_CHECKING:
    from airflow_provider_oss.hooks.oss import OSSHook

log = logging.getLogger(__name__)

_SHOWN: Final = 5
"""Missing keys that one line of the log names."""


@dataclass(frozen=True, slots=True)
class WatchedKeys:
    """What is waited for. Plain values only: a trigger is stored with it. Times are seconds."""

    keys: tuple[str, ...]
    bucket_name: str | None = None
    wildcard_match: bool = False
    min_matches: int = 1
    """Objects that a key with wildcards must match."""
    min_size: int = 0
    min_age: float = 0.0
    modified_after: float | None = None
    """In unix seconds; what was modified within that second counts."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one look has shown."""

    objects: tuple[FoundObject, ...]
    """The objects that count, in the order of the keys that are waited for and then by key; none of them twice."""
    missing: tuple[str, ...]
    """What is still waited for, a sentence for each key; none when all is there."""

    def waiting_for(self) -> str:
        """Return what is missing, in a line."""
        rest = len(self.missing) - _SHOWN
        return "; ".join(self.missing[:_SHOWN]) + (f"; and {rest} more" if rest > 0 else "")


class KeyWatch:
    """
    Looks for keys.

    ``refused`` is the digest of objects that somebody was not content with: they are as good as missing.
    """

    def __init__(self, watched: WatchedKeys, refused: str | None = None) -> None:
        self.watched = watched
        self.refused = refused

    def look(self, hook: OSSHook) -> tuple[FoundObject, ...] | None:
        """Return the objects when every key is there; else say in the log what is waited for and return None."""
        sighting = renewing(hook, lambda: look_for_keys(hook, self.watched, time.time()))
        if sighting.missing:
            log.info("Waiting: %s", sighting.waiting_for())
            return None
        if self.refused is not None and snapshot(sighting.objects).digest == self.refused:
            log.info("Waiting: check was not content with these %d objects", len(sighting.objects))
            return None
        return sighting.objects


def look_for_keys(hook: OSSHook, watched: WatchedKeys, now: float) -> Sighting:
    """
    Look for every key, and judge what is there.

    Only OSS's "no such key" means that an object is not there: all else that fails raises, though other keys are there.
    """
    objects: dict[str, FoundObject] = {}
    missing: list[str] = []
    for key in watched.keys:
        is_glob = watched.wildcard_match and has_wildcard(key)
        there = _matching(hook, key, watched.bucket_name) if is_glob else _named(hook, key, watched.bucket_name)
        judged = [(one, why_not(one, watched, now)) for one in there]
        counting = {one.uri: one for one, reason in judged if reason is None}
        reasons = [reason for _, reason in judged if reason is not None]
        if len(counting) < (watched.min_matches if is_glob else 1):
            missing.append(_too_few(key, watched, len(counting), reasons) if is_glob else _not_there(key, reasons))
        objects |= counting
    return Sighting(tuple(objects.values()), tuple(missing))


def why_not(found: FoundObject, watched: WatchedKeys, now: float) -> str | None:
    """Return why an object does not count; None if it does."""
    modified = found.last_modified.timestamp()
    if found.size < watched.min_size:
        return f"has {found.size} bytes, less than min_size={watched.min_size}"
    if watched.modified_after is not None and modified < math.floor(
        watched.modified_after
    ):  # whole seconds are all that OSS tells
        after = datetime.fromtimestamp(watched.modified_after, UTC).isoformat()
        return f"was last modified at {found.last_modified.isoformat()}, before {after}"
    # Where no age is asked for, OSS's clock may be ahead of this one
    if watched.min_age and now - modified < watched.min_age:
        return f"was modified {max(now - modified, 0.0):.0f} s ago, less than min_age={watched.min_age:g} s"
    return None


def _not_there(key: str, reasons: Sequence[str]) -> str:
    if reasons:
        return f"{key} {reasons[0]}"
    hint = " (a glob needs wildcard_match=True)" if has_wildcard(key) else ""
    return f"{key} is not there{hint}"


def _too_few(glob: str, watched: WatchedKeys, counting: int, reasons: Sequence[str]) -> str:
    text = f"{glob} matches {counting} of {watched.min_matches} objects"
    return f"{text}, and {len(reasons)} that do not count: one {reasons[0]}" if reasons else text


def _named(hook: OSSHook, key: str, bucket_name: str | None) -> Iterator[FoundObject]:
    try:
        yield described(hook.head_object(key, bucket_name))
    except OSSNoSuchKey:
        return


def _matching(hook: OSSHook, glob: str, bucket_name: str | None) -> Iterator[FoundObject]:
    """Yield the objects that the glob matches, without those that stand for a folder unless it asks for them."""
    wanted = hook.resolve(glob, bucket_name)
    matches = key_matcher(wanted.key)
    for entry in hook.list_objects(f"{SCHEME}{wanted.bucket}/{literal_prefix(wanted.key)}"):
        if entry.ref.key.endswith("/") == wanted.key.endswith("/") and matches(entry.ref.key):
            yield listed(entry)
