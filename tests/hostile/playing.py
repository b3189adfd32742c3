"""Plays one row of the table at one call: through a real hook, over a real socket."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from airflow_provider_oss.clients.credentials.sources import Credentials
from airflow_provider_oss.clients.settings import ClientSettings
from airflow_provider_oss.engine.retry import RetryPolicy
from airflow_provider_oss.exceptions import OSSProviderError
from airflow_provider_oss.file_range import FileRange
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.model import CompletedPart, ObjectOptions
from tests.hostile import outcomes
from tests.hostile.bucket import (
    BIG,
    BIG_KEY,
    BUCKET,
    FIRST,
    KEY,
    LAST,
    OTHER_KEY,
    SMALL,
    UPLOAD_ID,
    content,
    crc64,
    etag,
    right_answer,
)
from tests.hostile.exchanges import Row
from tests.hostile.outcomes import Call, Outcome
from tests.hostile.script import Script, Send, Step
from tests.hostile.server import HostileServer, Request, Scene

_MIB: Final = 1024 * 1024
_TRIES: Final = 2
_READ_TIMEOUT_SECONDS: Final = 3.0
_SHORT_READ_TIMEOUT_SECONDS: Final = 0.3
_MOST_SECONDS: Final = 8.0
"""What a play may take, on a busy machine: 5 read timeouts for each try, where they are short."""
_MOST_MEMORY_BYTES: Final = 64 * _MIB
_MOST_ERROR_CHARS: Final = 4096
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_WITNESS: Final = "witness"
_FOR_EVER: Final = 50
"""Requests, after which a client that goes round is let out."""
_MOST_OF_A_CIRCLE: Final = 10
"""Requests, in all tries."""

_PART_ONE: Final = CompletedPart(1, len(SMALL), etag(SMALL), crc64(SMALL))


@dataclass(frozen=True, slots=True)
class Stage:
    """What every play needs."""

    server: HostileServer
    verify: bool | str
    folder: Path

    def hook(self, row: Row, tries: int) -> OSSHook:
        """Return a new hook, with no connection yet."""
        hook = OSSHook()
        hook.settings = ClientSettings(
            self.server.endpoint,
            Credentials("id", "secret"),
            "cn-hangzhou",
            read_timeout_seconds=_SHORT_READ_TIMEOUT_SECONDS if row.is_slow else _READ_TIMEOUT_SECONDS,
            verify=self.verify,
            default_bucket=BUCKET,
        )
        hook.retry = RetryPolicy(tries, first_delay_seconds=0.001, longest_delay_seconds=0.001)
        return hook


def play(stage: Stage, row: Row, call: Call, *, throughout: bool) -> None:
    """
    Let the server do it once, or to every request of the call; then ask for other objects over the same hook.

    Raises AssertionError, naming what did not hold.
    """
    outcome = row.outcome(call)
    tries = 1 if row.is_slow and throughout else _TRIES
    hostile = _FOR_EVER if row.is_circle else tries if throughout else 1
    hook = stage.hook(row, tries)
    scene = stage.server.begin(_behaviour(row, hostile))
    try:
        assert hook.read_object(f"{_WITNESS}-before") == content(f"{_WITNESS}-before")
        before = len(scene.requests)
        ended = _measured(lambda: _CALLS[call](hook, stage.folder))
    finally:
        scene.end()
    requests = scene.requests[before:]
    _check_result(ended, call, outcome, throughout=throughout)
    _check_bounds(ended)
    _check_count(row, outcome, len(requests), tries, throughout=throughout)
    _check_stored(ended, call, requests)
    _check_next(hook, scene, row, [request.connection for request in requests[:1]])


def _behaviour(row: Row, hostile: int) -> Callable[[Request], Script]:
    left = iter(range(hostile))

    def behave(request: Request) -> Script:
        right = right_answer(request)
        if request.key.startswith(_WITNESS) or next(left, None) is None:
            return (Step.READ_BODY, Send(right.raw))
        return row.write(right, request)

    return behave


@dataclass(frozen=True, slots=True)
class _Ended:
    result: Any
    error: OSSProviderError | None
    seconds: float
    peak_bytes: int


def _measured(make: Callable[[], Any]) -> _Ended:
    Path("/proc/self/clear_refs").write_text("5", "utf-8")  # the peak begins anew
    before, started = _memory("VmRSS:"), time.monotonic()
    result, error = None, None
    try:
        result = make()
    except OSSProviderError as caught:
        error = caught
    return _Ended(result, error, time.monotonic() - started, _memory("VmHWM:") - before)


def _memory(name: str) -> int:
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1]) * 1024


def _check_bounds(ended: _Ended) -> None:
    assert ended.seconds <= _MOST_SECONDS, f"it took {ended.seconds:.1f} s"
    assert ended.peak_bytes <= _MOST_MEMORY_BYTES, f"it took {ended.peak_bytes / _MIB:.0f} MiB"
    text = "" if ended.error is None else str(ended.error)
    assert len(text) <= _MOST_ERROR_CHARS, f"the error has {len(text)} characters"
    assert not _CONTROL.search(text), f"the error shows what it should escape: {text!r}"


def _check_result(ended: _Ended, call: Call, outcome: Outcome, *, throughout: bool) -> None:
    name = "" if ended.error is None else type(ended.error).__name__
    passing = set(outcome.errors) & outcomes.REPEATED
    names = outcome.errors if throughout else tuple(set(outcome.errors) - passing)
    if ended.error is not None:
        assert names, f"it must succeed, and is {name}: {ended.error}"
        assert name in names, f"it must be {' or '.join(names)}, and is {name}: {ended.error}"
        return
    assert not outcome.errors or (passing and not throughout), f"it must be {' or '.join(names)}, and succeeds"
    wanted = _results(call, OTHER_KEY if outcome.is_undetected else KEY)
    assert ended.result == wanted, f"it must be {wanted!r:.200}, and is {ended.result!r:.200}"


def _check_count(row: Row, outcome: Outcome, count: int, tries: int, *, throughout: bool) -> None:
    """None is sent twice but by a repetition."""
    if row.is_circle:
        assert count <= _MOST_OF_A_CIRCLE, f"{count} requests were sent, and the pages go round"
        return
    repeated = bool(outcome.errors) and outcome.may_pass
    most = 1 if not outcome.errors or not set(outcome.errors) & outcomes.REPEATED else tries
    if len(outcome.errors) > 1 and not outcome.may_pass:
        assert count <= most, f"{count} requests were sent, {most} tries were allowed"
        return
    wanted = (tries if throughout else 2) if repeated else 1
    assert count == wanted, f"{count} requests were sent, {wanted} are right"


def _check_stored(ended: _Ended, call: Call, requests: list[Request]) -> None:
    """A write that is reported done has arrived whole."""
    if ended.error is None and call in _BODIES:
        body = _BODIES[call]
        stored = [request for request in requests if request.is_whole and request.body_crc64 == crc64(body)]
        assert stored, "it is reported stored, and no request with its bytes was read"


def _check_next(hook: OSSHook, scene: Scene, row: Row, used: list[int]) -> None:
    before = len(scene.requests)
    for number in range(3):
        key = f"{_WITNESS}-{number}"
        found = hook.read_object(key)
        assert found == content(key), f"the next read must be {content(key)!r}, and is {found!r}"
    scene.end()
    after = scene.requests[before:]
    assert len(after) == 3, f"{len(after)} requests were sent for the next 3 reads"
    if row.is_dropped:
        assert not {request.connection for request in after} & set(used), "the connection was used again"


# The calls


def _key(body: bytes) -> str:
    return BIG_KEY if body is BIG else KEY


def _part(hook: OSSHook, folder: Path, body: bytes) -> str:
    path = folder / f"{len(body)}.bin"
    if not path.exists():
        path.write_bytes(body)
    with path.open("rb") as file:
        part = FileRange(str(path), file.fileno(), 0, len(body))
        ref = hook.resolve(_key(body))
        return hook._calls.upload_part(ref, UPLOAD_ID, 1, part, crc64(body), ObjectOptions()).etag


def _stream(hook: OSSHook, body: bytes) -> tuple[int, str | None]:
    def blocks() -> Iterator[bytes]:
        return (body[start : start + 65536] for start in range(0, len(body), 65536))

    result = hook.put_stream(_key(body), blocks)
    return result.size, result.etag


def _put(hook: OSSHook, body: bytes) -> tuple[int, str | None]:
    result = hook.put_object(_key(body), body)
    return result.size, result.etag


def _download(hook: OSSHook, _: Path) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "object.bin"
        hook.download_file(KEY, path)
        return path.read_bytes()


def _head(hook: OSSHook, _: Path) -> tuple[int, str, int | None]:
    info = hook.head_object(KEY)
    return info.size_bytes, info.etag, info.crc64


_CALLS: Final[dict[Call, Callable[[OSSHook, Path], Any]]] = {
    outcomes.READ: lambda hook, _: hook.read_object(KEY),
    outcomes.RANGE: lambda hook, _: hook.read_object(KEY, byte_range=(FIRST, LAST), if_match=etag(content(KEY))),
    outcomes.DOWNLOAD: _download,
    outcomes.HEAD: _head,
    outcomes.PUT: lambda hook, _: _put(hook, SMALL),
    outcomes.STREAM: lambda hook, _: _stream(hook, SMALL),
    outcomes.PART: lambda hook, folder: _part(hook, folder, SMALL),
    outcomes.INITIATE: lambda hook, _: hook.initiate_multipart_upload(KEY),
    outcomes.COMPLETE: lambda hook, _: hook.complete_multipart_upload(KEY, UPLOAD_ID, [_PART_ONE]).etag,
    outcomes.ABORT: lambda hook, _: hook.abort_multipart_upload(KEY, UPLOAD_ID),
    outcomes.LIST_PARTS: lambda hook, _: [part.number for part in hook.list_parts(KEY, UPLOAD_ID)],
    outcomes.LIST_UPLOADS: lambda hook, _: [upload.upload_id for upload in hook.list_multipart_uploads()],
    outcomes.LIST_OBJECTS: lambda hook, _: [listed.ref.key for listed in hook.list_objects()],
    outcomes.BIG_PUT: lambda hook, _: _put(hook, BIG),
    outcomes.BIG_PART: lambda hook, folder: _part(hook, folder, BIG),
    outcomes.BIG_STREAM: lambda hook, _: _stream(hook, BIG),
}
_BODIES: Final = {
    outcomes.PUT: SMALL,
    outcomes.PART: SMALL,
    outcomes.BIG_PUT: BIG,
    outcomes.BIG_PART: BIG,
    outcomes.BIG_STREAM: BIG,
}


def _results(call: Call, key: str) -> Any:
    data = content(key)
    return {
        outcomes.READ: data,
        outcomes.RANGE: data[FIRST : LAST + 1],
        outcomes.DOWNLOAD: data,
        outcomes.HEAD: (len(data), etag(data), crc64(data)),
        outcomes.PUT: (len(SMALL), etag(SMALL)),
        outcomes.STREAM: (len(SMALL), etag(SMALL)),
        outcomes.PART: etag(SMALL),
        outcomes.INITIATE: UPLOAD_ID,
        outcomes.COMPLETE: etag(SMALL),
        outcomes.ABORT: None,
        outcomes.LIST_PARTS: [1],
        outcomes.LIST_UPLOADS: [UPLOAD_ID],
        outcomes.LIST_OBJECTS: [KEY],
        outcomes.BIG_PUT: (len(BIG), etag(BIG)),
        outcomes.BIG_PART: etag(BIG),
        outcomes.BIG_STREAM: (len(BIG), etag(BIG)),
    }[call]
