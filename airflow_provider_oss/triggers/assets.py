"""
The trigger for Airflow's asset watchers: new and overwritten objects below a prefix become events of an asset.

What was seen is compared by key, ETag and time of the last change: a marker of the listing would miss what sorts before
it, and what is overwritten.
"""

from __future__ import annotations

import asyncio
import base64
import heapq
import json
import math
from array import array
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from airflow.triggers.base import TriggerEvent
from typing_extensions import override

from airflow_provider_oss.exceptions import OSSInvalidArgument, OSSProviderError
from airflow_provider_oss.limits import MIN_POKE_INTERVAL_SECONDS
from airflow_provider_oss.quantities import duration
from airflow_provider_oss.shown import Log
from airflow_provider_oss.triggers.oss import in_thread
from airflow_provider_oss.watch import objects_below, point_in_time

try:
    from airflow.triggers.base import BaseEventTrigger
except ImportError:  # Airflow 2, which has no watchers
    from airflow.triggers.base import BaseTrigger as BaseEventTrigger  # type: ignore[assignment]

if TYPE_CHECKING:
    from airflow_provider_oss.hooks.oss import OSSHook
    from airflow_provider_oss.model import ObjectPrefix
    from airflow_provider_oss.watch import FoundObject

log = Log(__name__)

MOST_STORED: Final = 4000
"""Objects of a stored watermark: 43,000 characters, for Airflow warns of more than 64 KiB."""
MOST_REPORTED: Final = 10_000
"""Objects of one look; more are left to the next."""
MOST_OF_AN_EVENT: Final = 100
"""Objects of an event."""
MAX_EVENT_CHARS: Final = 30_000
"""Of the JSON of its objects: Airflow's column of MySQL takes 64 KiB."""

_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Watermark:
    """What was seen: all that was last changed before a time, and of what was changed since then these objects."""

    before: float
    """In unix seconds, by OSS's clock; infinity for all that is there."""
    digests: frozenset[int] = frozenset()

    def has(self, changed: float, digest: int) -> bool:
        """Whether an object that was last changed then, and that the digest stands for, was seen as it is now."""
        return changed < self.before or digest in self.digests

    def stored(self) -> dict[str, Any]:
        """Return it as plain data; ``before`` has to be finite."""
        digests = base64.b64encode(_big_endian(array("Q", sorted(self.digests))).tobytes()).decode()
        return {"version": _VERSION, "before": self.before, "digests": digests}

    @classmethod
    def restored(cls, stored: Any) -> Watermark:
        """Return what ``stored`` was made of. Raises ValueError for anything else."""
        if not isinstance(stored, Mapping) or stored.get("version") != _VERSION:
            raise ValueError("it is not of this version")
        try:
            digests = array("Q", base64.b64decode(stored["digests"], validate=True))
            return cls(float(stored["before"]), frozenset(_big_endian(digests)))
        except (KeyError, TypeError) as error:
            raise ValueError(f"it lacks {error}") from error


def _big_endian(digests: array[int]) -> array[int]:
    """Return the numbers with their bytes in the order in which they are stored, or back, whatever this machine's."""
    if array("H", [1]).tobytes() == b"\1\0":
        digests.byteswap()
    return digests


def identity(one: FoundObject) -> int:
    """Return 64 bits that stand for key, ETag and time of the last change."""
    text = f"{one.key}\0{one.etag} {one.last_modified.timestamp()}"
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


class Look:
    """
    One look below a prefix.

    ``new`` are the objects, by time of the last change, that the watermark does not have: at most ``MOST_REPORTED``,
    and whether these are all is ``is_complete``. ``seen`` is the watermark with them, which takes 70 bytes an object.
    """

    def __init__(self, found: Iterable[FoundObject], before: Watermark) -> None:
        self.is_complete = True
        self.new: list[FoundObject] = []
        self._newest: list[tuple[float, int]] = []
        self._dropped = -math.inf
        digests = set()
        for one in found:
            changed, digest = one.last_modified.timestamp(), identity(one)
            if not before.has(changed, digest):
                if len(self.new) == MOST_REPORTED:
                    self.is_complete = False
                    continue
                self.new.append(one)
            digests.add(digest)
            self._keep(changed, digest)
        self.new.sort(key=lambda one: (one.last_modified, one.key))
        self.seen = Watermark(-math.inf, frozenset(digests))

    def _keep(self, changed: float, digest: int) -> None:
        if len(self._newest) < MOST_STORED:
            heapq.heappush(self._newest, (changed, digest))
        else:
            self._dropped = max(self._dropped, heapq.heappushpop(self._newest, (changed, digest))[0])

    def watermark(self) -> Watermark:
        """
        Return what of ``seen`` is stored: the objects that were changed last, and the time since which these are all.

        With more than ``MOST_STORED`` objects what comes later with an older time of change counts as seen.
        """
        if self._dropped == -math.inf:
            return Watermark(0.0, self.seen.digests)
        kept = frozenset(digest for changed, digest in self._newest if changed > self._dropped)
        return Watermark(math.nextafter(self._dropped, math.inf), kept)


def payloads(prefix: ObjectPrefix, new: Iterable[FoundObject]) -> Iterator[dict[str, Any]]:
    """Yield the payload of each event for the objects: there are as few as their sizes allow."""
    batch: list[dict[str, Any]] = []
    chars = 0
    for one in new:
        described = _described(one)
        chars += (more := len(json.dumps(described)) + 2)
        if batch and (len(batch) == MOST_OF_AN_EVENT or chars > MAX_EVENT_CHARS):
            yield {"uri": prefix.uri, "objects": batch}
            batch, chars = [], more
        batch.append(described)
    if batch:
        yield {"uri": prefix.uri, "objects": batch}


def _described(one: FoundObject) -> dict[str, Any]:
    fields = asdict(one) | {"last_modified": one.last_modified.isoformat()}
    return {name: fields[name] for name in ("uri", "key", "size", "etag", "last_modified")}


class OSSNewObjectsTrigger(BaseEventTrigger):
    """
    Makes events of an asset from objects below a prefix that are new or were overwritten, for Airflow 3's AssetWatcher.

    An event's payload is a dict: ``uri`` of the prefix and ``objects``, a list of at most 100 dicts with ``uri``,
    ``key``, ``size`` (bytes), ``etag`` and ``last_modified`` (ISO 8601, UTC). What stands for a folder (a key with a
    slash at its end) does not count, and what is deleted is no event. At each look the whole prefix is listed: one
    request for 1,000 objects.

    It runs until no DAG needs it. Whatever fails is logged and tried again after the next interval, for nobody would
    see an error.

    From Airflow 3.3 on what was seen is kept in the asset's state store, where the next triggerer continues: an event
    may come twice, and none is lost that Airflow stores within an interval. Older versions, and a trigger that several
    assets share, begin anew then, as they do when nothing is stored yet: see ``modified_after``.

    :param prefix: prefix, or ``oss://bucket/prefix``; it gets a slash at its end if it has none. "" is the whole
        bucket.
    :param bucket_name: bucket; None for the connection's schema.
    :param oss_conn_id: id of the Airflow connection, which the triggerer must have.
    :param region: goes before the connection's region.
    :param poke_interval: seconds (or a timedelta) between two looks, at least 1.
    :param modified_after: where nothing is stored: a datetime, or its text in ISO 8601 (UTC where it has no time zone);
        what was last changed in this second or later is new. None: what the first look finds is not new.
    """

    def __init__(
        self,
        *,
        prefix: str,
        bucket_name: str | None = None,
        oss_conn_id: str = "oss_default",
        region: str | None = None,
        poke_interval: float | timedelta = 60.0,
        modified_after: datetime | str | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.prefix = prefix
        self.bucket_name = bucket_name
        self.oss_conn_id = oss_conn_id
        self.region = region
        self.poke_interval = duration("poke_interval", poke_interval).total_seconds()
        if self.poke_interval < MIN_POKE_INTERVAL_SECONDS:
            raise OSSInvalidArgument(
                f"poke_interval={poke_interval!r} is too short: OSS bills every look; give at least "
                f"{MIN_POKE_INTERVAL_SECONDS:g} s"
            )
        self.modified_after = None if modified_after is None else _iso(point_in_time("modified_after", modified_after))
        self._seen: Watermark | None = None
        self._unsaved: Watermark | None = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class and its arguments. Airflow tells by them whether two watchers share one trigger."""
        kind = type(self)
        names = ("prefix", "bucket_name", "oss_conn_id", "region", "poke_interval", "modified_after")
        return f"{kind.__module__}.{kind.__qualname__}", {name: getattr(self, name) for name in names}

    @override
    async def run(self) -> AsyncIterator[TriggerEvent]:
        from airflow_provider_oss.hooks.oss import OSSHook

        while True:
            hook = OSSHook(self.oss_conn_id, region=self.region)  # after a failure it reads the connection again
            try:
                while True:
                    for payload in await in_thread(self.look, hook):
                        yield TriggerEvent(payload)
                    await asyncio.sleep(self.poke_interval)
            except OSSProviderError as error:
                log.warning("Looking below %s failed, and is tried again: %s", self.prefix, error)
            except Exception:
                log.exception("Looking below %s failed, and is tried again", self.prefix)
            finally:
                hook.cancel()
            await asyncio.sleep(self.poke_interval)

    def look(self, hook: OSSHook) -> list[dict[str, Any]]:
        """Look once; return the payloads of the events. Runs in a thread."""
        prefix = hook.resolve_prefix(self.prefix, self.bucket_name)
        store = _Store(getattr(self, "asset_state_store", None), prefix)
        if self._seen is None:
            self._seen = store.load() or Watermark(self._begin())
        self._save(store)
        seen = self._seen
        look = hook.with_new_credentials(lambda: Look(objects_below(hook, prefix), seen))
        if look.is_complete and look.seen != seen:
            self._unsaved = look.watermark()
        self._seen = look.seen
        if look.new:
            log.info("%d objects below %s are new or were overwritten", len(look.new), prefix)
        else:
            self._save(store)  # else by the next look: what Airflow has not stored by then is lost with the triggerer
        return list(payloads(prefix, look.new))

    def _save(self, store: _Store) -> None:
        if self._unsaved is not None and store.save(self._unsaved):
            self._unsaved = None

    def _begin(self) -> float:
        """Return before which time all counts as seen, where nothing is stored."""
        if self.modified_after is None:
            return math.inf
        return math.floor(point_in_time("modified_after", self.modified_after))


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


class _Store:
    """Keeps the watermark of a prefix in the state store of the watched asset, where Airflow has one."""

    def __init__(self, store: Any, prefix: ObjectPrefix) -> None:
        self._store = store
        self._key = f"oss_watermark_{blake2b(prefix.uri.encode(), digest_size=8).hexdigest()}"

    def load(self) -> Watermark | None:
        """Return what is stored; None where there is nothing."""
        if self._store is None:
            return None
        try:
            stored = self._store.get(self._key)
        except ValueError as error:
            log.warning("What was seen is not kept, for several assets share this trigger: %s", error)
            return None
        if stored is None:
            return None
        try:
            return Watermark.restored(stored)
        except ValueError as error:
            log.error("The watermark %s of the asset cannot be read, and is made anew: %s", self._key, error)  # noqa: TRY400 - the text says all
            return None

    def save(self, watermark: Watermark) -> bool:
        """Keep it, and return whether that is done or cannot be; a failure is logged."""
        if self._store is None:
            return True
        try:
            self._store.set(self._key, watermark.stored())
        except ValueError:  # several assets, as it was said
            return True
        except Exception as error:  # noqa: BLE001 - whatever Airflow's store raises: looking goes on
            log.warning("What was seen is not stored yet: %s: %s", type(error).__name__, error)
            return False
        return True
