"""Waiting for keys: what counts, what is said of what does not, and that errors are never "not there"."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_oss.emulator import Fault, OSSEmulator
from airflow_provider_oss.exceptions import (
    OSSAccessDenied,
    OSSInvalidArgument,
    OSSNoSuchBucket,
    OSSProviderError,
    OSSServiceUnavailable,
)
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.watch import KeyWatch, Sighting, WatchedKeys, look_for_keys, snapshot
from tests.conftest import BUCKET

HOUR = 3600.0


def look(hook: OSSHook, *keys: str, now: float | None = None, **conditions: Any) -> Sighting:
    """Look for the keys, now or at another time."""
    return look_for_keys(hook, WatchedKeys(keys, **conditions), time.time() if now is None else now)


def found(sighting: Sighting) -> list[str]:
    """Return the keys of the objects that count."""
    return [one.key for one in sighting.objects]


def test_all_keys_are_waited_for(hook: OSSHook) -> None:
    """The wait goes on while one of several keys is missing; what is said names that one."""
    hook.put_object("a.csv", b"1")
    waiting = look(hook, "a.csv", "b.csv")
    assert waiting.missing == ("b.csv is not there",)
    hook.put_object("b.csv", b"2")
    done = look(hook, "b.csv", "a.csv")
    assert (done.missing, found(done)) == ((), ["b.csv", "a.csv"])


def test_whole_addresses_and_other_buckets(hook: OSSHook) -> None:
    """Keys may be whole addresses in several buckets, and hold what a URL would not."""
    hook.put_object("a#1?.csv", b"1")
    hook.put_object("b.csv", b"2", "other")
    done = look(hook, f"oss://{BUCKET}/a#1?.csv", "oss://other/b.csv")
    assert [one.uri for one in done.objects] == [f"oss://{BUCKET}/a#1?.csv", "oss://other/b.csv"]
    assert found(look(hook, "b.csv", bucket_name="other")) == ["b.csv"]


def test_one_line_names_a_few(hook: OSSHook) -> None:
    """However many keys are missing, the line that says so is short."""
    assert look(hook, *(f"{number}.csv" for number in range(7))).waiting_for() == (
        "0.csv is not there; 1.csv is not there; 2.csv is not there; 3.csv is not there; 4.csv is not there; and 2 more"
    )
    assert look(hook, "0.csv").waiting_for() == "0.csv is not there"


@pytest.mark.parametrize(
    ("glob", "matched"),
    [
        ("in/*.csv", ["in/a.csv", "in/b.csv"]),
        ("in/**/*.csv", ["in/a.csv", "in/b.csv", "in/deep/c.csv", "in/empty//d.csv"]),
        ("in/?.csv", ["in/a.csv", "in/b.csv"]),
        ("in/[!a].csv", ["in/b.csv"]),
        ("in/**", ["in/a.csv", "in/b.csv", "in/deep/c.csv", "in/empty//d.csv"]),
        ("in/*//d.csv", ["in/empty//d.csv"]),
        ("in/*/", ["in/folder/"]),
        ("i*/a.csv", ["in/a.csv"]),
        (f"oss://{BUCKET}/**/a.csv", ["in/a.csv"]),
        ("in/a.csv", ["in/a.csv"]),
    ],
)
def test_wildcards(hook: OSSHook, glob: str, matched: list[str]) -> None:
    """Globs are those of directories; what stands for a folder counts only for a glob with a slash at its end."""
    for key in ("in/", "in/a.csv", "in/b.csv", "in/deep/c.csv", "in/empty//d.csv", "in/folder/", "inside.csv"):
        hook.put_object(key, b"" if key.endswith("/") else b"1")
    assert found(look(hook, glob, wildcard_match=True)) == matched


def test_wildcards_are_only_read_where_they_are_meant(hook: OSSHook) -> None:
    """Without wildcard_match the key has the star in it; the log hints at the argument."""
    hook.put_object("in/a.csv", b"1")
    assert look(hook, "in/*.csv").missing == ("in/*.csv is not there (a glob needs wildcard_match=True)",)
    hook.put_object("in/*.csv", b"1")
    assert found(look(hook, "in/*.csv")) == ["in/*.csv"]


def test_a_key_without_wildcards_is_not_listed(hook: OSSHook, server: OSSEmulator) -> None:
    """Only a key with wildcards needs the permission to list."""
    look(hook, "in/2026-*/a.csv", "in/a.csv", wildcard_match=True)
    assert [(one.operation, one.key) for one in server.requests] == [("ListObjectsV2", ""), ("HeadObject", "in/a.csv")]


def test_min_matches(hook: OSSHook) -> None:
    """A key with wildcards must match so many objects that count; a key without must be there."""
    hook.put_object("in/a.csv", b"1")
    hook.put_object("in/b.csv", b"")
    arguments: dict[str, Any] = {"wildcard_match": True, "min_matches": 2}
    assert look(hook, "in/*.csv", **arguments, min_size=1).missing == (
        "in/*.csv matches 1 of 2 objects, and 1 that do not count: one has 0 bytes, less than min_size=1",
    )
    assert look(hook, "in/*.csv", "in/a.csv", **arguments).missing == ()
    assert look(hook, "no/*.csv", **arguments).missing == ("no/*.csv matches 0 of 2 objects",)


def test_an_object_is_named_once(hook: OSSHook) -> None:
    """What two keys find is in the result once."""
    hook.put_object("in/a.csv", b"1")
    assert found(look(hook, "in/*.csv", "in/a*", wildcard_match=True)) == ["in/a.csv"]


def test_min_size(hook: OSSHook) -> None:
    """A smaller object is waited for as one that is not there."""
    hook.put_object("a.csv", b"123")
    assert look(hook, "a.csv", min_size=4).missing == ("a.csv has 3 bytes, less than min_size=4",)
    assert found(look(hook, "a.csv", min_size=3)) == ["a.csv"]


def test_min_age(hook: OSSHook) -> None:
    """An object that was just changed is waited for until it has been left alone for so long."""
    hook.put_object("a.csv", b"1")
    modified = described_time(hook, "a.csv")
    young = look(hook, "a.csv", min_age=HOUR, now=modified + 10)
    assert young.missing == ("a.csv was modified 10 s ago, less than min_age=3600 s",)
    assert found(look(hook, "a.csv", min_age=HOUR, now=modified + HOUR)) == ["a.csv"]


def test_a_clock_that_is_behind(hook: OSSHook) -> None:
    """Without min_age an object counts that was stored, by this machine's clock, in the future."""
    hook.put_object("a.csv", b"1")
    modified = described_time(hook, "a.csv")
    assert found(look(hook, "a.csv", now=modified - 10)) == ["a.csv"]
    assert look(hook, "a.csv", now=modified - 10, min_age=5.0).missing == (
        "a.csv was modified 0 s ago, less than min_age=5 s",
    )


def test_modified_after(hook: OSSHook) -> None:
    """An object of before that time is waited for until it is replaced."""
    hook.put_object("a.csv", b"1")
    modified = described_time(hook, "a.csv")
    [reason] = look(hook, "a.csv", modified_after=modified + 1).missing
    assert reason.startswith("a.csv was last modified at 20")
    assert ", before 20" in reason
    for since in (modified - 1, modified, modified + 0.9):  # OSS tells whole seconds
        assert found(look(hook, "a.csv", modified_after=since)) == ["a.csv"]


def described_time(hook: OSSHook, key: str) -> float:
    """Return when OSS says that the object was changed."""
    [entry] = hook.list_objects(key)
    return entry.last_modified


def test_refused_objects_are_as_good_as_missing(hook: OSSHook) -> None:
    """While the same objects are there that somebody was not content with, the wait goes on."""
    hook.put_object("in/a.csv", b"1")
    watched = WatchedKeys(("in/*",), wildcard_match=True)
    objects = KeyWatch(watched).look(hook)
    assert objects is not None
    watch = KeyWatch(watched, snapshot(objects).digest)
    assert watch.look(hook) is None
    hook.put_object("in/b.csv", b"2")
    assert [one.key for one in watch.look(hook) or ()] == ["in/a.csv", "in/b.csv"]


@pytest.mark.parametrize("keys", [("missing.csv", "refused"), ("refused", "missing.csv"), ("refuse?",)])
@pytest.mark.parametrize(
    ("fields", "fault", "error"),
    [
        ({"password": "wrong"}, None, OSSAccessDenied),
        ({"schema": "not-there"}, None, OSSNoSuchBucket),
        ({}, Fault(status=503), OSSServiceUnavailable),
    ],
)
def test_errors_are_no_answer(
    make_hook: Callable[..., OSSHook],
    server: OSSEmulator,
    keys: tuple[str, ...],
    fields: dict[str, object],
    fault: Fault | None,
    error: type[OSSProviderError],
) -> None:
    """Whatever OSS answers but "no such key" raises, wherever among the keys it happens."""
    if fault is not None:
        server.faults.add(fault)
    with pytest.raises(error):
        look(make_hook(**fields), *keys, wildcard_match=True)


def test_a_key_that_cannot_be_looked_at(hook: OSSHook, server: OSSEmulator) -> None:
    """A refusal of the second key raises though the first is missing and could be waited for."""
    server.faults.add(Fault(key="refused", status=403, code="AccessDenied"))
    with pytest.raises(OSSAccessDenied):
        look(hook, "missing.csv", "refused")


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("in/a**.csv", r"key='in/a\*\*\.csv' has \*\* within the component 'a\*\*\.csv': it must be a whole one"),
        ("/in/*.csv", "begins with '/', which OSS refuses"),
        ("oss://Bad_Bucket/*.csv", "is not a name OSS allows"),
    ],
)
def test_globs_that_cannot_work(hook: OSSHook, server: OSSEmulator, key: str, message: str) -> None:
    """A glob that can match nothing is an error, not waited for; nothing is sent."""
    with pytest.raises(OSSInvalidArgument, match=message):
        look(hook, key, wildcard_match=True)
    assert server.requests == ()
