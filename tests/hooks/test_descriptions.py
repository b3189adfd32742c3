"""Whatever stores an object gives it the whole description, whatever fields a description has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from airflow_provider_oss.engine.source import BytesSource
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.limits import KIB
from airflow_provider_oss.options import is_described_as, parse_options, shown_of
from tests.hooks.support import DATA
from tests.support.descriptions import FULL, NAMES, NOT_SHOWN, another

WANTED: Final = parse_options(**FULL)
KEY: Final = "described/dump.bin"
Store = Callable[[OSSHook, Path, dict[str, Any]], object]


def complete(hook: OSSHook, options: dict[str, Any]) -> None:
    upload_id = hook.initiate_multipart_upload(KEY, **options)
    hook.complete_multipart_upload(KEY, upload_id, [hook.upload_part(KEY, upload_id, 1, DATA)])


def copy(hook: OSSHook, options: dict[str, Any], **arguments: Any) -> None:
    hook.put_object("plain", DATA)
    hook.copy_object("plain", KEY, **arguments, **options)


def by_many(hook: OSSHook, options: dict[str, Any]) -> None:
    source = BytesSource(DATA)
    upload, ranges = hook.plan_upload(KEY, source, **options)
    hook.complete_upload(upload, [hook.send_parts(upload, one, source) for one in ranges], **options)


IN_PARTS: Final[dict[str, Any]] = {"part_size": 100 * KIB, "parallel": 1}
WAYS: Final[dict[str, Store]] = {
    "put_object": lambda hook, _, options: hook.put_object(KEY, DATA, **options),
    "put_file": lambda hook, file, options: hook.put_file(KEY, file, **options),
    "put_stream": lambda hook, _, options: hook.put_stream(KEY, lambda: iter([DATA]), **options),
    "upload_file": lambda hook, file, options: hook.upload_file(KEY, file, **IN_PARTS, **options),
    "upload_source": lambda hook, _, options: hook.upload_source(KEY, BytesSource(DATA), **IN_PARTS, **options),
    "upload_stream": lambda hook, _, options: hook.upload_stream(KEY, lambda: iter([DATA]), **IN_PARTS, **options),
    "upload_files": lambda hook, file, options: list(hook.upload_files([(KEY, file)], **options)),
    "upload_batch": lambda hook, file, options: hook.upload_batch("described", [file], **options),
    "upload_directory": lambda hook, file, options: hook.upload_directory("described", file.parent, **options),
    "initiate_multipart_upload": lambda hook, _, options: complete(hook, options),
    "plan_upload": lambda hook, _, options: by_many(hook, options),
    "copy_object": lambda hook, _, options: copy(hook, options),
    "copy_object in parts": lambda hook, _, options: copy(hook, options, multipart_threshold=0, **IN_PARTS),
}


def stored(hook: OSSHook) -> Any:
    """Return the whole description of the object."""
    return replace(shown_of(hook.head_object(KEY)), tags=hook.get_object_tags(KEY))


@pytest.mark.parametrize("way", WAYS)
def test_every_way_of_storing(hook: OSSHook, file: Path, way: str) -> None:
    """Each field arrives."""
    WAYS[way](hook, file, FULL)
    assert {name: getattr(stored(hook), name) for name in NAMES} == FULL


def test_every_method_that_takes_a_description() -> None:
    """No way is left out: the methods of the hook that take options, but one that says which of them matter to it."""
    public = (name for name in dir(OSSHook) if not name.startswith("_"))
    takes = {name for name in public if "options" in getattr(getattr(OSSHook, name), "__annotations__", {})}
    assert takes - {"complete_multipart_upload", "complete_upload"} == {way.partition(" ")[0] for way in WAYS}


@pytest.mark.parametrize("threshold", [None, 0], ids=["in one request", "in parts"])
def test_a_copy_keeps_it(hook: OSSHook, threshold: int | None) -> None:
    """A copy has all that its source has."""
    hook.put_object("source", DATA, **FULL)
    hook.copy_object("source", KEY, **({} if threshold is None else {"multipart_threshold": 0, **IN_PARTS}))
    assert {name: getattr(stored(hook), name) for name in NAMES} == FULL


@pytest.mark.parametrize("name", NAMES)
def test_a_copy_replaces_it(hook: OSSHook, name: str) -> None:
    """One field that is given takes the place of all that the source has."""
    hook.put_object("source", DATA, **FULL)
    hook.copy_object("source", KEY, **{name: another(name)})
    found = stored(hook)
    assert getattr(found, name) == another(name)
    assert not any(getattr(found, other) == FULL[other] for other in NAMES if other != name)


@pytest.mark.parametrize("name", NAMES)
def test_a_difference_is_seen(hook: OSSHook, name: str) -> None:
    """An object that has another value in one field is not as it should be, unless OSS does not show the field."""
    hook.put_object(KEY, DATA, **FULL)
    info = hook.head_object(KEY)
    assert is_described_as(info, WANTED)
    assert is_described_as(info, parse_options(**{name: FULL[name]}))
    assert is_described_as(info, parse_options(**{**FULL, name: another(name)})) == (name in NOT_SHOWN)
    assert not is_described_as(hook.head_object(hook.put_object("plain", DATA).key), WANTED)


@pytest.mark.parametrize(
    ("wanted", "is_alike"),
    [
        ({}, True),
        ({"meta": {}}, True),
        ({"storage_class": "Standard"}, True),
        ({"headers": {"Cache-Control": "no-store"}}, True),
        ({"headers": {"cache-control": "no-store", "Content-Encoding": "gzip"}}, False),
        ({"meta": {"rows": "7"}}, True),
        ({"meta": {"rows": "7", "more": "1"}}, False),
    ],
    ids=str,
)
def test_what_nothing_is_said_of(hook: OSSHook, wanted: dict[str, Any], *, is_alike: bool) -> None:
    """What is wanted must be as it is stored, of ``meta`` all of it; what nothing is said of may be anything."""
    hook.put_object(KEY, DATA, mime="text/csv", meta={"rows": "7"}, headers={"Cache-Control": "no-store"})
    assert is_described_as(hook.head_object(KEY), parse_options(**wanted)) == is_alike
