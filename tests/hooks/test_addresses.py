"""Keys that are addresses of something else: no method stores under one, all others take them."""

from __future__ import annotations

import inspect
import io
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss.emulator import OSSEmulator
from airflow_provider_oss.engine.source import BytesSource
from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.hooks.oss import OSSHook

ADDRESS = "s3://exports/key"
WHOLE = f"oss://exports/{ADDRESS}"
"""How earlier versions stored it, said plainly."""

WHOLE_PLAN = {"after": None, "until": None}

Call = Callable[[OSSHook, Path], Any]

STORING: dict[str, Call] = {
    "put_object": lambda hook, _: hook.put_object(ADDRESS, b"a"),
    "put_file": lambda hook, file: hook.put_file(ADDRESS, file),
    "put_stream": lambda hook, _: hook.put_stream(ADDRESS, io.BytesIO(b"a")),
    "upload_file": lambda hook, file: hook.upload_file(ADDRESS, file),
    "upload_source": lambda hook, _: hook.upload_source(ADDRESS, BytesSource(b"a")),
    "upload_stream": lambda hook, _: hook.upload_stream(ADDRESS, io.BytesIO(b"a")),
    "upload_directory": lambda hook, file: hook.upload_directory(ADDRESS, file.parent, include=file.name),
    "upload_batch": lambda hook, file: hook.upload_batch(ADDRESS, [file]),
    "plan_upload": lambda hook, _: hook.plan_upload(ADDRESS, BytesSource(b"a")),
    "delete_removed": lambda hook, file: hook.delete_removed(ADDRESS, file.parent, shards=[WHOLE_PLAN]),
    "copy_object": lambda hook, _: hook.copy_object(WHOLE, ADDRESS),
    "initiate_multipart_upload": lambda hook, _: hook.initiate_multipart_upload(ADDRESS),
    "sign_url": lambda hook, _: hook.sign_url("PUT", ADDRESS, 60),
}
OTHERS: dict[str, Call] = {
    "head_object": lambda hook, _: hook.head_object(ADDRESS),
    "object_exists": lambda hook, _: hook.object_exists(ADDRESS),
    "get_object": lambda hook, _: hook.get_object(ADDRESS).close(),
    "read_object": lambda hook, _: hook.read_object(ADDRESS),
    "download_file": lambda hook, file: hook.download_file(ADDRESS, file.with_name("downloaded")),
    "resume_download": lambda hook, file: hook.resume_download(ADDRESS, file.with_name("resumed")),
    "set_object_tags": lambda hook, _: hook.set_object_tags(ADDRESS, {"a": "b"}),
    "get_object_tags": lambda hook, _: hook.get_object_tags(ADDRESS),
    "delete_object_tags": lambda hook, _: hook.delete_object_tags(ADDRESS),
    "copy_object from": lambda hook, _: hook.copy_object(ADDRESS, "copy"),
    "sign_url to read": lambda hook, _: hook.sign_url("GET", ADDRESS, timedelta(hours=1)),
    "upload_part and the rest": lambda hook, _: _finish(hook, hook.initiate_multipart_upload(WHOLE)),
    "delete_object": lambda hook, _: hook.delete_object(ADDRESS),
}
FINISHING = {"upload_part", "list_parts", "complete_multipart_upload", "abort_multipart_upload"}
"""What goes on with an upload that was begun."""


def _finish(hook: OSSHook, upload_id: str) -> None:
    part = hook.upload_part(ADDRESS, upload_id, 1, b"a")
    hook.list_parts(ADDRESS, upload_id)
    hook.complete_multipart_upload(ADDRESS, upload_id, [part])
    hook.abort_multipart_upload(ADDRESS, hook.initiate_multipart_upload(WHOLE))


def test_every_method_is_tried() -> None:
    """A method of the hook that takes a key is in one of the tables."""
    methods = {
        name
        for name, value in inspect.getmembers(OSSHook, inspect.isfunction)
        if "key" in inspect.signature(value).parameters and not name.startswith(("_", "resolve"))
    }
    assert methods == {name.split()[0] for name in STORING | OTHERS} | FINISHING


@pytest.mark.parametrize("name", STORING)
def test_storing(hook: OSSHook, server: OSSEmulator, file: Path, name: str) -> None:
    """Nothing is stored, or even sent."""
    with pytest.raises(OSSInvalidArgument, match=r"key='s3://exports/key' is an address.*oss://exports/key"):
        STORING[name](hook, file)
    assert server.requests == ()


def test_many_files(hook: OSSHook, server: OSSEmulator, file: Path) -> None:
    """So it is with many files at once."""
    with pytest.raises(OSSInvalidArgument, match="is an address"):
        list(hook.upload_files([(ADDRESS, file)]))
    assert server.requests == ()


def test_what_earlier_versions_stored(hook: OSSHook, file: Path) -> None:
    """It can be looked at, read, copied, finished and deleted by the same key."""
    hook.put_object(WHOLE, b"a")
    for call in OTHERS.values():
        call(hook, file)
    assert not hook.object_exists(WHOLE)
    assert hook.read_object("copy") == b"a"


def test_listing_and_deleting_many(hook: OSSHook) -> None:
    """It can be listed and deleted below a prefix, and among other keys."""
    for number in range(2):
        hook.put_object(f"{WHOLE}/{number}", b"a")
    assert [item.ref.key for item in hook.list_objects("s3://")] == [f"{ADDRESS}/0", f"{ADDRESS}/1"]
    assert hook.delete_objects([f"{ADDRESS}/0"]) == [f"{ADDRESS}/0"]
    assert list(hook.delete_below("s3://exports")) == [[f"{ADDRESS}/1"]]
