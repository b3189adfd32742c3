"""Every method of the hook against the local OSS server: what it stores, what it returns, what it raises."""

from __future__ import annotations

import inspect
import io
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from airflow_provider_oss.emulator import Fault, OSSEmulator
from airflow_provider_oss.engine.many_files import FileOutcome
from airflow_provider_oss.engine.retry import is_worth_repeating
from airflow_provider_oss.engine.source import BytesSource, FileSource
from airflow_provider_oss.engine.tree.result import FilesResult
from airflow_provider_oss.exceptions import (
    OSSAccessDenied,
    OSSConnectionError,
    OSSInvalidArgument,
    OSSInvalidSource,
    OSSNoSuchBucket,
    OSSProviderError,
    OSSServiceUnavailable,
)
from airflow_provider_oss.hooks.base import OSSBaseHook
from airflow_provider_oss.hooks.oss import OSSHook
from tests.conftest import BUCKET
from tests.support.stores import MemoryDirectory

ALL = {"after": None, "until": None}
"""A shard that is the whole directory."""


def raise_first(outcomes: Iterator[FileOutcome]) -> None:
    error = next(outcomes).error
    assert error is not None
    raise error


def raise_problem(result: FilesResult) -> None:
    """Raise why the first file that failed did."""
    raise result.problems[0].error


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault(code="AccessDenied"), OSSAccessDenied),
        (Fault(status=500, code="InternalError"), OSSServiceUnavailable),
        (Fault(code="NoSuchBucket"), OSSNoSuchBucket),
        (Fault(reset="before"), OSSConnectionError),
    ],
    ids=["forbidden", "server error", "no bucket", "reset"],
)
def test_an_error_is_no_answer(
    hook: OSSHook, server: OSSEmulator, fault: Fault, expected: type[OSSProviderError], tmp_path: Path
) -> None:
    """No method turns an error into False, None or an empty list."""
    server.faults.add(fault)
    calls: dict[str, Callable[[], object]] = {
        "put_object": lambda: hook.put_object("key", "data"),
        "put_file": lambda: hook.put_file("key", Path(__file__)),
        "put_stream": lambda: hook.put_stream("key", lambda: io.BytesIO(b"data")),
        "upload_file": lambda: hook.upload_file("key", Path(__file__)),
        "upload_directory": lambda: hook.upload_directory("key", Path(__file__).parent, dry_run=True),
        "upload_batch": lambda: raise_problem(hook.upload_batch("key", [Path(__file__)])),
        "delete_removed": lambda: hook.delete_removed("key", Path(__file__).parent, shards=[ALL]),
        "upload_files": lambda: raise_first(hook.upload_files([("key", Path(__file__))])),
        "upload_source": lambda: hook.upload_source("key", BytesSource(b"data")),
        "upload_stream": lambda: hook.upload_stream("key", lambda: io.BytesIO(b"data")),
        "plan_upload": lambda: hook.plan_upload("key", FileSource(__file__)),
        "initiate_multipart_upload": lambda: hook.initiate_multipart_upload("key"),
        "upload_part": lambda: hook.upload_part("key", "U1", 1, b""),
        "list_parts": lambda: hook.list_parts("key", "U1"),
        "complete_multipart_upload": lambda: hook.complete_multipart_upload("key", "U1", []),
        "abort_multipart_upload": lambda: hook.abort_multipart_upload("key", "U1"),
        "list_multipart_uploads": lambda: list(hook.list_multipart_uploads()),
        "head_object": lambda: hook.head_object("key"),
        "object_exists": lambda: hook.object_exists("key"),
        "get_object": lambda: hook.get_object("key"),
        "read_object": lambda: hook.read_object("key"),
        "list_pages": lambda: list(hook.list_pages()),
        "list_buckets": hook.list_buckets,
        "download_file": lambda: hook.download_file("key", tmp_path / "file"),
        "resume_download": lambda: hook.resume_download("key", tmp_path / "file"),
        "list_objects": lambda: list(hook.list_objects()),
        "copy_object": lambda: hook.copy_object("key", "copy"),
        "delete_object": lambda: hook.delete_object("key"),
        "delete_objects": lambda: hook.delete_objects(["key"]),
        "delete_below": lambda: list(hook.delete_below("a/")),
        "get_object_tags": lambda: hook.get_object_tags("key"),
        "set_object_tags": lambda: hook.set_object_tags("key", {"a": "b"}),
        "delete_object_tags": lambda: hook.delete_object_tags("key"),
        "bucket_info": lambda: hook.bucket_info(BUCKET),
        "create_bucket": lambda: hook.create_bucket("new-bucket"),
        "abort_stale_uploads": lambda: hook.abort_stale_uploads(timedelta(days=1), MemoryDirectory()),
    }
    if expected is not OSSNoSuchBucket:  # which is the answer to what these ask
        calls["bucket_exists"] = lambda: hook.bucket_exists(BUCKET)
        calls["delete_bucket"] = lambda: hook.delete_bucket(BUCKET)
    classes = OSSHook.__mro__[: OSSHook.__mro__.index(OSSBaseHook)]
    own = {name for cls in classes for name, value in vars(cls).items() if inspect.isfunction(value)}
    # Two ask nothing of OSS, two need a planned upload; one that may not be aborted is named in the log
    apart = {
        "plan_directory",
        "send_parts",
        "complete_upload",
        "sign_url",
        "abandon_upload",
        "bucket_exists",
        "delete_bucket",
    }
    assert {name for name in own if not name.startswith("_")} - apart == set(calls) - apart

    # These have a patience of their own, which the engine's tests cut short
    patient = {name for name in calls if name.startswith(("put_", "upload_", "plan_upload"))} - {"upload_part"}
    for name in set(calls) - (patient if is_worth_repeating(expected("")) else set()):
        with pytest.raises(expected):
            calls[name]()


@pytest.mark.parametrize(
    "key", ["", "/a", "\\a", "x" * 1024, "ü" * 512, "\ud800", "oss://", "oss://exports", "oss://exports/", "oss://E/k"]
)
def test_keys_that_oss_forbids(hook: OSSHook, server: OSSEmulator, key: str) -> None:
    """A key that OSS would refuse is refused by every kind of call before anything is sent."""
    for call in (
        lambda: hook.put_object(key, "data"),
        lambda: hook.put_stream(key, io.BytesIO()),
        lambda: hook.head_object(key),
        lambda: hook.delete_objects(["fine", key]),
        lambda: hook.sign_url("GET", key, 60),
    ):
        with pytest.raises(OSSInvalidArgument, match=r"key|bucket|oss://"):
            call()
    assert not server.requests


def test_bucket_that_oss_forbids(hook: OSSHook, server: OSSEmulator) -> None:
    """A bucket name that OSS would refuse is refused before anything is sent, listings included."""
    for call in (
        lambda: hook.put_object("key", "data", "No_Bucket"),
        lambda: next(hook.list_objects(bucket_name="No_Bucket")),
        lambda: next(hook.list_multipart_uploads(bucket_name="No_Bucket")),
        lambda: hook.delete_objects(["key"], "No_Bucket"),
    ):
        with pytest.raises(OSSInvalidArgument, match="No_Bucket"):
            call()
    assert not server.requests


def test_missing_file(hook: OSSHook, server: OSSEmulator, tmp_path: Path) -> None:
    """A file that is not there is an error of the source before anything is sent."""
    for write in (hook.put_file, hook.upload_file):
        with pytest.raises(OSSInvalidSource, match="does not exist"):
            write("key", tmp_path / "absent")
    assert not server.requests
