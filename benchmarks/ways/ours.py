"""This package in a measured process: a hook as a task uses it, and its uploads."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.clients.airflow_task import CONNECTION_ID, FRAMEWORK, provide_connection
from benchmarks.clients.credentials import ACCESS_KEY_ID, ACCESS_KEY_SECRET, REGION
from benchmarks.rounds import BUCKET

if TYPE_CHECKING:
    from airflow_provider_oss.hooks.oss import OSSHook
    from airflow_provider_oss.model import Checkpoint

_OWNER: Final = "benchmark"
_CHUNK_BYTES: Final = 1024 * 1024


def warm_hook(endpoint: str, authority: str | None = None) -> OSSHook:
    """Return a new hook; another one has stored an object before, so that all modules are loaded."""
    new_hook(endpoint, authority).put_object("warm", b"warm")
    return new_hook(endpoint, authority)


def new_hook(endpoint: str, authority: str | None) -> OSSHook:
    """Return a hook that trusts ``authority``, a PEM file, if one is given; Airflow and its module are imported."""
    for name in FRAMEWORK:
        import_module(name)
    from airflow_provider_oss.hooks.oss import OSSHook

    provide_connection(
        {
            "conn_type": "aliyun_oss",
            "host": endpoint,
            "login": ACCESS_KEY_ID,
            "password": ACCESS_KEY_SECRET,
            "schema": BUCKET,
            "extra": {"region": REGION} | ({"verify": authority} if authority else {}),
        }
    )
    return OSSHook(CONNECTION_ID)


class FileStore:
    """A checkpoint store: one file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> Checkpoint | None:
        """Return what was saved last."""
        from airflow_provider_oss.checkpoint.codec import decode

        return decode(self._path.read_text("utf-8"), _OWNER) if self._path.exists() else None

    def save(self, checkpoint: Checkpoint) -> None:
        """Keep the checkpoint."""
        from airflow_provider_oss.checkpoint.codec import encode

        self._path.write_text(json.dumps(encode(checkpoint, _OWNER)), "utf-8")

    def delete(self) -> None:
        """Keep nothing."""
        self._path.unlink(missing_ok=True)


class _Enough(Exception):
    """No error: the attempt has come as far as it was to come."""


def upload(
    endpoint: str,
    key: str,
    path: str,
    store: str,
    part_size_bytes: int | None = None,
    until: float | None = None,
) -> Callable[[], dict[str, Any]]:
    """
    Prepare an upload with a checkpoint in the file ``store``; it returns the times at which parts were done.

    With ``until`` the attempt ends as soon as so great a share of the bytes is done and a part has been sent, and
    leaves its upload to the next one. What it returns are seconds since its beginning, what was verified, and the
    upload's id.
    """
    hook = warm_hook(endpoint)

    def work() -> dict[str, Any]:
        began = time.monotonic()
        done_seconds: list[float] = []
        found: dict[str, Any] = {"done_seconds": done_seconds}

        def progress(fraction: float, checkpoint: Checkpoint | None, response: Any) -> None:
            done_seconds.append(time.monotonic() - began)
            if checkpoint is not None:
                found["upload_id"] = checkpoint.upload_id
            if until is not None and fraction >= until and response is not None:
                raise _Enough

        try:
            result = hook.upload_file(
                key, path, part_size=part_size_bytes, progress=progress, checkpoint=FileStore(Path(store))
            )
        except _Enough:
            return found
        return found | {"bytes_sent": result.bytes_sent, "bytes_verified": result.bytes_verified}

    return work


def upload_stream(endpoint: str, key: str, size_bytes: int, store: str) -> Callable[[], dict[str, Any]]:
    """Prepare an upload of a stream of zeros of a length that nobody knows, all defaults, in chunks of 1 MiB."""
    hook = warm_hook(endpoint)
    chunk = bytes(_CHUNK_BYTES)

    def zeros() -> Iterator[bytes]:
        for start in range(0, size_bytes, _CHUNK_BYTES):
            yield chunk[: size_bytes - start]

    def work() -> dict[str, Any]:
        result = hook.upload_stream(key, zeros, checkpoint=FileStore(Path(store)))
        return {"bytes_sent": result.bytes_sent}

    return work
