"""Waiting until a prefix changes no more: what a change is, since when it is quiet, and what a deletion means."""

from __future__ import annotations

import json
import time

import pytest

from airflow_provider_oss.exceptions import OSSNoSuchBucket, OSSObjectsDeleted
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.watch import PrefixWatch, Settling, Snapshot, WatchedPrefix, compared, look_below
from tests.conftest import BUCKET

HOUR = 3600.0
WATCHED = WatchedPrefix("in", None, HOUR)
STRICT = WatchedPrefix("in", None, HOUR, allow_delete=False)
QUIET = Settling(f"oss://{BUCKET}/in/", Snapshot("digest", 2, 7), since=1000.0)


def test_what_is_seen(hook: OSSHook) -> None:
    """The objects below the prefix are counted, folders' markers and neighbours of the same beginning are not."""
    for key, data in {"in/": b"", "in/a": b"123", "in/deep/b": b"4567", "in/deep/": b"", "inside": b"8"}.items():
        hook.put_object(key, data)
    before = time.time()
    seen = look_below(hook, WATCHED, None)
    assert (seen.uri, seen.snapshot.objects, seen.snapshot.size) == (f"oss://{BUCKET}/in/", 2, 7)
    assert before <= seen.since <= time.time()


def test_unchanged_since_the_first_look(hook: OSSHook) -> None:
    """Looks that see the same do not move the time since when it is quiet."""
    hook.put_object("in/a", b"1")
    first = look_below(hook, WATCHED, None)
    assert look_below(hook, WATCHED, first) == first
    assert look_below(hook, WATCHED, Settling(first.uri, first.snapshot, 1000.0)).since == 1000.0


@pytest.mark.parametrize("change", ["new", "same bytes again", "other bytes", "deleted"])
def test_a_change_begins_the_wait_anew(hook: OSSHook, change: str) -> None:
    """A new object, one that is replaced (by an equal one too) and one that is deleted are changes."""
    for key in ("in/a", "in/b"):
        hook.put_object(key, b"1")
    old = Settling("", look_below(hook, WATCHED, None).snapshot, 1000.0)
    if change == "new":
        hook.put_object("in/c", b"1")
    elif change == "other bytes":
        hook.put_object("in/b", b"2")
    elif change == "deleted":
        hook.delete_object("in/b")
    else:
        modified = next(hook.list_objects("in/b")).last_modified
        while next(hook.list_objects("in/b")).last_modified == modified:
            hook.put_object("in/b", b"1")
    assert look_below(hook, WATCHED, old).since > 1000.0


def test_what_is_waited_for() -> None:
    """The wait is over when there are enough objects and nothing has changed for so long."""
    uri = QUIET.uri
    assert QUIET.waiting_for(WATCHED, 1000.0 + HOUR) is None
    assert QUIET.waiting_for(WATCHED, 1010.0) == (f"{uri} has 2 objects of 7 bytes in all, unchanged for 10 of 3600 s")
    few = WatchedPrefix("in", None, HOUR, min_objects=3)
    assert QUIET.waiting_for(few, 1000.0 + 2 * HOUR) == (f"{uri} has 2 objects of 7 bytes in all: 3 are waited for")
    # The quiet time begins when a listing has ended, which is after this look has begun
    assert "unchanged for 0 of" in (QUIET.waiting_for(WATCHED, 990.0) or "")


def test_nothing_there(hook: OSSHook) -> None:
    """An empty prefix is waited for, unless no object is asked for; a bucket that is not there is an error."""
    seen = look_below(hook, WATCHED, None)
    assert seen.waiting_for(WATCHED, seen.since + 2 * HOUR) is not None
    assert seen.waiting_for(WatchedPrefix("in", None, HOUR, min_objects=0), seen.since + HOUR) is None
    with pytest.raises(OSSNoSuchBucket):
        look_below(hook, WatchedPrefix("in", "not-there", HOUR), None)


def test_what_is_stored_is_small(hook: OSSHook) -> None:
    """What a trigger is stored with is plain and short, and leads back to the same; keys are not in it."""
    for number in range(30):
        hook.put_object(f"in/{number:04}", b"1")
    seen = look_below(hook, STRICT, None)
    assert seen.keys is not None
    text = json.dumps(seen.stored())
    assert len(text) < 200
    restored = Settling.restored(json.loads(text))
    assert restored == Settling(seen.uri, seen.snapshot, seen.since, keys=None)


def test_a_deletion_that_is_not_allowed(hook: OSSHook) -> None:
    """Without allow_delete a deletion raises and names an object, though another came at the same time."""
    for key in ("in/a", "in/b"):
        hook.put_object(key, b"1")
    before = look_below(hook, STRICT, None)
    hook.delete_object("in/a")
    hook.put_object("in/c", b"1")
    with pytest.raises(OSSObjectsDeleted, match=r"^1 objects below oss://exports/in/ were deleted.*'in/a' among them"):
        look_below(hook, STRICT, before)
    assert look_below(hook, WATCHED, before).snapshot.objects == 2


def test_a_deletion_after_a_restart(hook: OSSHook) -> None:
    """Where the keys of before are not known any more, fewer objects than before are a deletion."""
    for key in ("in/a", "in/b", "in/c"):
        hook.put_object(key, b"1")
    before = Settling.restored(look_below(hook, STRICT, None).stored())
    assert look_below(hook, STRICT, before).snapshot.objects == 3
    hook.delete_object("in/a")
    hook.delete_object("in/b")
    with pytest.raises(OSSObjectsDeleted, match=r"^2 objects below oss://exports/in/ were deleted while"):
        look_below(hook, STRICT, before)


def test_replacing_is_no_deletion(hook: OSSHook) -> None:
    """Without allow_delete objects may still come and be replaced."""
    hook.put_object("in/a", b"1")
    before = look_below(hook, STRICT, None)
    hook.put_object("in/a", b"22")
    hook.put_object("in/b", b"1")
    assert look_below(hook, STRICT, before).snapshot.objects == 2


def test_clocks_of_two_machines() -> None:
    """A time that another machine noted and that has not come yet here does not lengthen the wait."""
    here = Settling(QUIET.uri, QUIET.snapshot, since=900.0)
    assert compared(QUIET, here).since == 900.0
    assert compared(here, QUIET).since == 900.0


def test_a_watch_goes_on_from_what_was_seen(hook: OSSHook) -> None:
    """A watch keeps what it has seen, tells it when it has settled, and can begin with what another one saw."""
    hook.put_object("in/a", b"123")
    watch = PrefixWatch(WATCHED)
    assert watch.look(hook) is None
    assert watch.settling is not None
    later = PrefixWatch(WATCHED, Settling(watch.settling.uri, watch.settling.snapshot, time.time() - HOUR))
    result = later.look(hook)
    assert result is not None
    assert (result["uri"], result["objects"], result["size"]) == (f"oss://{BUCKET}/in/", 1, 3)
    assert result["unchanged_since"].endswith("+00:00")
