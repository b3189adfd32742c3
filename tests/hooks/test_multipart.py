"""Multipart uploads call by call, against the local OSS server."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_provider_oss.emulator import OSSEmulator
from airflow_provider_oss.exceptions import (
    OSSInvalidArgument,
    OSSNoSuchUpload,
)
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.model import ObjectRef
from airflow_provider_oss.proof import crc64
from tests.conftest import BUCKET
from tests.hooks.support import DATA, read
from tests.support.stores import MemoryDirectory


def test_multipart_by_hand(hook: OSSHook) -> None:
    """The calls one by one make an object, and the upload is listed while it lasts."""
    upload_id = hook.initiate_multipart_upload("a/key", meta={"by": "hand"})
    parts = [hook.upload_part("a/key", upload_id, number, data) for number, data in ((1, DATA), (2, b"end"))]

    [unfinished] = hook.list_multipart_uploads("a/")
    assert (unfinished.ref, unfinished.upload_id) == (ObjectRef(BUCKET, "a/key"), upload_id)
    assert [(part.number, part.size_bytes) for part in hook.list_parts("a/key", upload_id)] == [(1, len(DATA)), (2, 3)]
    stored = hook.complete_multipart_upload("a/key", upload_id, parts, acl="private")

    assert stored.crc64 == crc64(DATA + b"end")
    assert read(hook, "a/key") == DATA + b"end"
    assert hook.head_object("a/key").meta == {"by": "hand"}
    assert list(hook.list_multipart_uploads()) == []


def test_abort(hook: OSSHook) -> None:
    """An aborted upload is gone, and saying so again is an error."""
    upload_id = hook.initiate_multipart_upload("key")
    hook.abort_multipart_upload("key", upload_id)
    for call in (hook.list_parts, hook.abort_multipart_upload):
        with pytest.raises(OSSNoSuchUpload):
            call("key", upload_id)


@pytest.mark.parametrize("number", [0, -1, 10_001])
def test_part_number_out_of_range(hook: OSSHook, server: OSSEmulator, number: int) -> None:
    """A part number that OSS does not have is refused before anything is sent."""
    with pytest.raises(OSSInvalidArgument, match="part_number"):
        hook.upload_part("key", "U1", number, b"")
    assert not server.requests


def test_stale_uploads_of_keys_that_look_like_addresses(hook: OSSHook) -> None:
    """A prefix is read once: uploads of other keys are not looked at."""
    hook.initiate_multipart_upload("live")
    hook.initiate_multipart_upload(f"oss://{BUCKET}/oss://{BUCKET}/x")
    result = hook.abort_stale_uploads(timedelta(days=1), MemoryDirectory(), f"oss://{BUCKET}/oss://{BUCKET}/")
    assert result.uploads == 1


def test_all_pages_of_uploads(hook: OSSHook) -> None:
    """More unfinished uploads than one answer holds are listed, several of one key in order of their ids."""
    key_of = {
        hook.initiate_multipart_upload(f"key-{number // 2:04}"): f"key-{number // 2:04}" for number in range(1002)
    }
    listed = [(item.ref.key, item.upload_id) for item in hook.list_multipart_uploads()]
    assert sorted(listed) == sorted((key, upload_id) for upload_id, key in key_of.items())
