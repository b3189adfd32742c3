"""
What sensors and triggers wait for: keys that are there, and a prefix below which nothing changes any more.

Both look by these functions, and judge by them what they see. What a user gives is checked here too, for templates
leave texts where numbers and times are meant.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final, Self

from airflow_provider_oss.exceptions import (
    ErrorDetails,
    OSSBadResponse,
    OSSInvalidArgument,
    OSSNoSuchKey,
    OSSObjectsDeleted,
)
from airflow_provider_oss.globs import has_wildcard, key_matcher, literal_prefix
from airflow_provider_oss.model import ListedObject, ObjectInfo
from airflow_provider_oss.quantities import duration, size_in_bytes, whole_number
from airflow_provider_oss.shown import Log
from airflow_provider_oss.uri import SCHEME

if TYPE_CHECKING:
    from airflow_provider_oss.hooks.oss import OSSHook
    from airflow_provider_oss.model import ObjectPrefix

log = Log(__name__)


@dataclass(frozen=True, slots=True)
class FoundObject:
    """
    An object that is there.

    ``size`` in bytes, ``etag`` without quotes, ``last_modified`` with time zone (UTC, by OSS's clock);
    ``storage_class`` is None where OSS does not return it.
    """

    uri: str
    bucket: str
    key: str
    size: int
    etag: str
    last_modified: datetime
    storage_class: str | None


def listed(entry: ListedObject) -> FoundObject:
    """Return the object of an entry of a listing."""
    ref, when = entry.ref, datetime.fromtimestamp(entry.last_modified, UTC)
    return FoundObject(ref.uri, ref.bucket, ref.key, entry.size_bytes, entry.etag, when, entry.storage_class)


def described(info: ObjectInfo) -> FoundObject:
    """Return the object that HeadObject describes. Raises OSSBadResponse without a time of the last change."""
    ref = info.ref
    try:
        when = parsedate_to_datetime(info.last_modified or "").astimezone(UTC)
    except ValueError as error:
        raise OSSBadResponse(
            f"the answer has Last-Modified {info.last_modified!r}, which is no date", ErrorDetails(ref.bucket, ref.key)
        ) from error
    return FoundObject(ref.uri, ref.bucket, ref.key, info.size_bytes, info.etag, when, info.storage_class)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """
    A set of objects, in a hundred bytes however many they are.

    Two sets have the same digest when they have the same objects in the same order: key, size, ETag and time of the
    last change.
    """

    digest: str
    objects: int
    size: int
    """Bytes of all objects."""


def snapshot(found: Iterable[FoundObject]) -> Snapshot:
    """Return what identifies these objects."""
    digest, count, size = hashlib.blake2b(digest_size=16), 0, 0
    for one in found:
        # No key has a NUL, which therefore ends it
        digest.update(f"{one.uri}\0{one.size} {one.etag} {one.last_modified.timestamp()}\0".encode())
        count, size = count + 1, size + one.size
    return Snapshot(digest.hexdigest(), count, size)


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
        self.settling = hook.with_new_credentials(lambda: look_below(hook, self.watched, self.settling))
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
    seen = snapshot(_noting(objects_below(hook, prefix), keys))
    # What changes while the listing goes on may be in it, so the quiet time begins with its end
    after = compared(before, Settling(prefix.uri, seen, time.time(), None if keys is None else frozenset(keys)))
    if before is not None and not watched.allow_delete:
        _check_nothing_deleted(before, after, ErrorDetails(prefix.bucket))
    return after


def objects_below(hook: OSSHook, prefix: ObjectPrefix) -> Iterator[FoundObject]:
    """Yield the objects by key, without those that stand for a folder; pages as it goes."""
    for entry in hook.list_objects(prefix.uri):
        if not entry.ref.key.endswith("/"):
            yield listed(entry)


def _noting(found: Iterable[FoundObject], keys: set[str] | None) -> Iterator[FoundObject]:
    """Yield the objects, and note their keys if there is a set for them."""
    for one in found:
        if keys is not None:
            keys.add(one.key)
        yield one


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
        sighting = hook.with_new_credentials(lambda: look_for_keys(hook, self.watched, time.time()))
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
    ):  # OSS returns whole seconds
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


def watched_keys(
    key: str | Iterable[str],
    bucket_name: str | None,
    *,
    wildcard_match: bool,
    min_matches: Any,
    min_size: Any,
    min_age: Any,
    modified_after: Any,
) -> WatchedKeys:
    """Return what is waited for. Raises OSSInvalidArgument that names the argument."""
    keys = (key,) if isinstance(key, str) else tuple(key) if isinstance(key, Iterable) else ()
    if not keys or not all(isinstance(each, str) for each in keys):
        raise OSSInvalidArgument(f"key={key!r} names no object: give a key or a list of keys, at least one")
    return WatchedKeys(
        keys=keys,
        bucket_name=bucket_name,
        wildcard_match=wildcard_match,
        min_matches=_at_least(1, "min_matches", min_matches),
        min_size=_at_least(0, "min_size", min_size, size_in_bytes),
        min_age=0.0 if min_age is None else duration("min_age", min_age, may_be_zero=True).total_seconds(),
        modified_after=None if modified_after is None else point_in_time("modified_after", modified_after),
    )


def watched_prefix(
    prefix: str, bucket_name: str | None, *, inactivity_period: Any, min_objects: Any, allow_delete: bool
) -> WatchedPrefix:
    """Return what is waited for. Raises OSSInvalidArgument that names the argument."""
    period = duration("inactivity_period", inactivity_period).total_seconds()
    return WatchedPrefix(prefix, bucket_name, period, _at_least(0, "min_objects", min_objects), allow_delete)


def point_in_time(name: str, value: Any) -> float:
    """
    Return the unix seconds of a time: a datetime or its ISO 8601 text; UTC where it has no time zone.

    Raises OSSInvalidArgument for anything else.
    """
    try:
        when = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise OSSInvalidArgument(f"{name}={value!r} is no time: give a datetime or its ISO 8601 text") from error
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


def _at_least(least: int, name: str, value: Any, read: Callable[[str, Any], int | None] = whole_number) -> int:
    number = read(name, value)
    if number is None or number < least:
        raise OSSInvalidArgument(f"{name}={value!r} is too small: give a whole number of {least} or more")
    return number
