"""Several files, one after the other: what stops the rest and what does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NoReturn

import pytest

from airflow_provider_oss.cancellation import Cancellation
from airflow_provider_oss.emulator import Fault, OSSEmulator
from airflow_provider_oss.engine.resume import sealed
from airflow_provider_oss.engine.source import BytesSource
from airflow_provider_oss.exceptions import (
    OSSInvalidSource,
    OSSPermanentError,
    OSSProviderError,
    OSSSourceUnavailable,
    OSSTransientError,
)
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.sources.object_storage import SelectedSource
from airflow_provider_oss.transfers.many import FailedOne, StoreAll, StoredAll
from tests.support.stores import MemoryStore

PART_BYTES = 100 * 1024


class FailingSource:
    """A source that cannot be opened."""

    def __init__(self, error: OSSProviderError) -> None:
        self.error = error

    def open(self) -> NoReturn:
        """Fail."""
        raise self.error


def selected(source: Any, name: str) -> SelectedSource:
    return SelectedSource(source, name, name)


@pytest.fixture
def store() -> MemoryStore:
    """Where the checkpoint is."""
    return MemoryStore()


@pytest.fixture
def store_all(connect: Callable[..., str], store: MemoryStore) -> Callable[[dict[str, Any]], StoredAll]:
    """Store these sources under these keys."""
    connect()

    def run(sources: dict[str, Any]) -> StoredAll:
        arguments: Any = {
            "part_size": PART_BYTES, "parallel": 1, "progress": None, "checkpoint": store,
            "cancellation": Cancellation(),
        }  # fmt: skip
        job = StoreAll(OSSHook(), None, arguments, {})
        return job.run({key: selected(source, key) for key, source in sources.items()})

    return run


UNAVAILABLE = FailingSource(OSSSourceUnavailable("busy"))
MISSING = FailingSource(OSSInvalidSource("missing"))


def test_failures_do_not_stop_the_rest(store_all: Callable[[dict[str, Any]], StoredAll]) -> None:
    """What fails is noted with whether it may pass, and the others are stored."""
    result = store_all({"a": MISSING, "b": UNAVAILABLE, "c": BytesSource(b"c"), "d": UNAVAILABLE})
    assert [one.key for one in result.objects] == ["c"]
    assert [(one.source, one.may_pass) for one in result.failed] == [("a", False), ("b", True), ("d", True)]
    with pytest.raises(OSSTransientError, match=r"(?s)3 of 4 files were not stored.*a: OSSInvalidSource: missing"):
        result.raise_failures()


def test_storage_that_is_down(store_all: Callable[[dict[str, Any]], StoredAll]) -> None:
    """After three files in a row that cannot be read now, the rest is not asked for."""
    sources = {
        "a": UNAVAILABLE,
        "b": MISSING,
        "c": UNAVAILABLE,
        "d": UNAVAILABLE,
        "e": UNAVAILABLE,
        "f": BytesSource(b""),
    }
    with pytest.raises(OSSSourceUnavailable, match="busy"):
        store_all(sources)
    assert not OSSHook().object_exists("f")


def test_begins_with_the_one_begun(
    store_all: Callable[[dict[str, Any]], StoredAll], store: MemoryStore, server: OSSEmulator
) -> None:
    """The file that the checkpoint names goes first, for the first upload of another would abort it."""
    data = {name: name.encode() * 3 * PART_BYTES for name in "abc"}
    server.faults.add(Fault(operation="UploadPart", key="b", part_number=3, status=403, code="AccessDenied"))
    with pytest.raises(OSSPermanentError):
        store_all({"b": BytesSource(data["b"])})
    assert store.upload_id is not None
    server.faults.clear()
    server.forget_requests()

    result = store_all({name: BytesSource(data[name]) for name in "abc"})

    assert [(one.key, one.bytes_sent) for one in result.objects] == [
        ("b", PART_BYTES), ("a", 3 * PART_BYTES), ("c", 3 * PART_BYTES),
    ]  # fmt: skip
    assert "AbortMultipartUpload" not in {one.operation for one in server.requests}


def test_what_may_not_be_aborted(
    store_all: Callable[[dict[str, Any]], StoredAll],
    store: MemoryStore,
    server: OSSEmulator,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """When the upload of a file that is no source any more may not be aborted, the log names what is left."""
    server.faults.add(Fault(operation="UploadPart", key="b", part_number=3, status=403, code="AccessDenied"))
    with pytest.raises(OSSPermanentError):
        store_all({"b": BytesSource(b"b" * 3 * PART_BYTES)})
    left = store.upload_id
    server.faults.add(Fault(operation="AbortMultipartUpload", status=403, code="AccessDenied"))
    assert [one.key for one in store_all({"a": BytesSource(b"a")}).objects] == ["a"]
    assert f"oss://exports/b is not to be stored any more: giving up its upload {left}" in caplog.text
    assert f"Upload {left} of oss://exports/b could not be aborted and stays, billed" in caplog.text
    assert store.upload_id is None


@pytest.mark.parametrize("left", ["an intent", "nothing that can be read", "an upload that is gone"])
def test_other_checkpoints(
    store_all: Callable[[dict[str, Any]], StoredAll], store: MemoryStore, server: OSSEmulator, left: str
) -> None:
    """Whatever an earlier attempt left of another file, the files are stored and nothing stays."""
    server.faults.add(Fault(operation="UploadPart", key="b", part_number=3, status=403, code="AccessDenied"))
    with pytest.raises(OSSPermanentError):
        store_all({"b": BytesSource(b"b" * 3 * PART_BYTES)})
    assert isinstance(store.data, dict)
    assert isinstance(store.upload_id, str)
    if left == "an upload that is gone":
        OSSHook().abort_multipart_upload("b", store.upload_id)
    elif left == "an intent":
        OSSHook().abort_multipart_upload("b", store.upload_id)
        checkpoint = store.load()
        assert checkpoint is not None
        store.save(sealed(replace(checkpoint, upload_id="")))
        OSSHook().initiate_multipart_upload("b")  # its answer was lost
    else:
        OSSHook().abort_multipart_upload("b", store.upload_id)
        store.data = {"upload_id": 5}
    assert [one.key for one in store_all({"a": BytesSource(b"a")}).objects] == ["a"]
    assert store.data is None
    assert list(OSSHook().list_multipart_uploads()) == []


def test_object_that_may_not_be_looked_at(
    store_all: Callable[[dict[str, Any]], StoredAll], server: OSSEmulator
) -> None:
    """Where objects may not be looked at every file is sent."""
    store_all({"a": BytesSource(b"a")})
    server.faults.add(Fault(operation="HeadObject", status=403, code="AccessDenied"))
    assert [one.bytes_sent for one in store_all({"a": BytesSource(b"a")}).objects] == [1]


def test_token_that_expires_between_two_files(
    store_all: Callable[[dict[str, Any]], StoredAll], server: OSSEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the connection has another AccessKey by now the look for an object is made with that, and all go on."""
    monkeypatch.setattr(OSSHook, "renew_credentials", lambda _: True)
    server.faults.add(Fault(operation="HeadObject", skip=1, times=1, status=403, code="SecurityTokenExpired"))
    result = store_all({"a": BytesSource(b"a"), "b": BytesSource(b"b")})
    assert [one.key for one in result.objects] == ["a", "b"]


def test_long_list_of_failures() -> None:
    """The error names the first ten files; the result has them all."""
    failed = tuple(FailedOne(f"file-{number}", "oss://b/k", "gone", may_pass=False) for number in range(12))
    with pytest.raises(OSSPermanentError, match=r"12 of 12 files.*file-9: gone; and 2 more$"):
        StoredAll((), failed).raise_failures()
    StoredAll((), ()).raise_failures()
