"""
What is measured in both checkouts, by the hook's public methods alone.

Each function prepares, in a process of its own, and returns what is measured. Airflow and the hook's modules are
imported by then, unless a docstring says otherwise.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from benchmarks.clients.memory_store import MemoryStore
from benchmarks.tasks.construct import constructing, importing
from benchmarks.ways.ours import new_hook, warm_hook

if TYPE_CHECKING:
    from airflow_provider_oss.hooks.oss import OSSHook

Work = Callable[[], dict[str, Any]]

_CHUNK_BYTES: Final = 1024 * 1024


def upload(endpoint: str, authority: str | None, key: str, path: str, congestion: str | None = None) -> Work:
    """Upload a file, with a checkpoint, under a TCP congestion control of Linux if one is named."""
    hook = _hook(endpoint, authority)
    if congestion is not None:
        _control_congestion(congestion, endpoint)
    return _returning_nothing(lambda: hook.upload_file(key, path, checkpoint=MemoryStore()))


def upload_while_computing(endpoint: str, authority: str | None, key: str, path: str) -> Work:
    """Upload a file, while another thread of the process computes in Python."""
    work = upload(endpoint, authority, key, path)

    def both() -> dict[str, Any]:
        with _computing():
            return work()

    return both


def upload_files(endpoint: str, authority: str | None, prefix: str, folder: str) -> Work:
    """Upload all files of a folder."""
    hook = _hook(endpoint, authority)
    files = [(f"{prefix}/{path.name}", path) for path in sorted(Path(folder).iterdir())]

    def work() -> dict[str, Any]:
        for outcome in hook.upload_files(files):
            if outcome.error is not None:
                raise outcome.error
        return {}

    return work


def upload_directory(endpoint: str, authority: str | None, prefix: str, folder: str) -> Work:
    """Upload the same as a directory. What listing imports is imported by then: ``find`` measures it."""
    hook = _hook(endpoint, authority)
    list(hook.list_objects(prefix))
    return _returning_nothing(lambda: hook.upload_directory(prefix, folder).raise_failures())


def upload_stream(endpoint: str, authority: str | None, key: str, size_bytes: int) -> Work:
    """Upload zeros of a length that is not told, in chunks of 1 MiB, with a checkpoint."""
    hook = _hook(endpoint, authority)
    return _returning_nothing(lambda: hook.upload_stream(key, lambda: _zeros(size_bytes), checkpoint=MemoryStore()))


def put_stream(endpoint: str, authority: str | None, key: str, size_bytes: int) -> Work:
    """Store zeros of a length that is told, in one request."""
    hook = _hook(endpoint, authority)
    return _returning_nothing(lambda: hook.put_stream(key, lambda: _zeros(size_bytes), size_bytes))


def download(endpoint: str, authority: str | None, key: str, path: str) -> Work:
    """Download an object to a new file."""
    hook = _hook(endpoint, authority)
    return lambda: {"size_bytes": hook.download_file(key, path).size_bytes}


def heads(endpoint: str, authority: str | None, count: int) -> Work:
    """Ask for HeadObject, one after the other over one connection."""
    hook = _hook(endpoint, authority)

    def work() -> dict[str, Any]:
        for _ in range(count):
            hook.head_object("warm")
        return {}

    return work


def find(endpoint: str, authority: str | None) -> Work:
    """Make a process's first request: a list. Nothing is imported by then but Airflow and the hook's module."""
    hook = new_hook(endpoint, authority)
    return _returning_nothing(lambda: list(hook.list_objects("nothing-below-this")))


def construct(endpoint: str, authority: str | None) -> Work:
    """Construct the tasks of a DAG file, with our operators and with bare ones in turn."""
    del endpoint, authority
    return constructing()


def import_operators(endpoint: str, authority: str | None) -> Work:
    """Import what a DAG file imports, after Airflow."""
    del endpoint, authority
    return importing()


def _hook(endpoint: str, authority: str | None) -> OSSHook:
    """Return a warm hook, of the checkout that is to be measured: its tree is the working folder."""
    import airflow_provider_oss

    assert Path(airflow_provider_oss.__file__).parent.parent == Path.cwd()
    return warm_hook(endpoint, authority)


def _control_congestion(algorithm: str, endpoint: str) -> None:
    """Let the connections that urllib3 makes from now on use it, whatever the machine uses."""
    from urllib3.connection import HTTPConnection

    option = (socket.IPPROTO_TCP, socket.TCP_CONGESTION, algorithm.encode())
    HTTPConnection.default_socket_options.append(option)  # in place: it is a default argument as well
    url = urlsplit(endpoint)
    tried = HTTPConnection(url.hostname or "", url.port)
    tried.connect()
    assert tried.sock.getsockopt(*option[:2], 16).startswith(option[2])
    tried.close()


def _returning_nothing(work: Callable[[], object]) -> Work:
    def nothing() -> dict[str, Any]:
        work()
        return {}

    return nothing


def _zeros(size_bytes: int) -> Iterator[bytes]:
    chunk = bytes(_CHUNK_BYTES)
    for start in range(0, size_bytes, _CHUNK_BYTES):
        yield chunk[: size_bytes - start]


@contextmanager
def _computing() -> Iterator[None]:
    """Let a thread compute, and hold the interpreter's lock as long as it may."""
    is_over = threading.Event()

    def compute() -> None:
        while not is_over.is_set():
            sum(number * number for number in range(1000))

    thread = threading.Thread(target=compute)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
