"""
``python -m tests.hostile.forks [--forks N]``: a process with used hooks forks again and again; exit 1 at a wrong byte.

While threads of the parent read objects and one always sends a part, over http and over https, children read others
with the hooks they were born with, and end by themselves, by ``os._exit`` or by SIGKILL. Each answer is compared byte
by byte. The server, a process of its own, notes who came over which connection: the parent must not need a new one, and
no connection may have served both.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from airflow_provider_oss.clients.credentials.sources import Credentials
from airflow_provider_oss.clients.settings import ClientSettings
from airflow_provider_oss.engine.retry import RetryPolicy
from airflow_provider_oss.hooks.oss import OSSHook
from tests.clients.support import make_certificate
from tests.hostile.bucket import BUCKET, MEDIUM, MEDIUM_KEY, UPLOAD_ID, content, etag
from tests.hostile.serving import READY

_READERS: Final = 2
"""Threads of the parent that read, for each scheme."""
_READS: Final = 3
"""Objects that a child reads over each scheme, in each of its two threads."""
_AT_A_TIME: Final = 3
_CHILD_SECONDS: Final = 60
_SHOWN_EVERY: Final = 500
_PAUSE_SECONDS: Final = 0.005
"""Between two calls of a thread of the parent: the processors are the children's too."""
_RIGHT, _WRONG_BYTES, _FAILED = 0, 3, 4
_ENDINGS: Final = ("by itself", "by os._exit", "by SIGKILL")
_SCHEMES: Final = ("http", "https")


def main() -> int:
    """Fork, print what was seen, return how to exit."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile.forks", description=__doc__)
    parser.add_argument("--forks", type=int, default=200)
    forks = parser.parse_args().forks
    warnings.filterwarnings("ignore", message=".*multi-threaded.*fork", category=DeprecationWarning)
    parent = os.getpid()
    with _servers(parent) as servers:
        work = _Work({server.scheme: server.hook() for server in servers})
        try:
            work.begin()
            for number in range(forks):
                work.fork(number)
                if number % _SHOWN_EVERY == _SHOWN_EVERY - 1:
                    _say(f"{number + 1} forks, {len(work.failures)} failures")
            work.end()
        finally:
            if os.getpid() == parent:
                work.stop.set()
        seen = {server.scheme: server.visitors() for server in servers}
    return _verdict(work, seen, forks)


def _verdict(work: _Work, seen: dict[str, dict[str, list[str]]], forks: int) -> int:
    failures = list(work.failures)
    for scheme, visitors in seen.items():
        mixed = [number for number, names in visitors.items() if len(names) > 1]
        used = sum("parent" in names for names in visitors.values())
        failures += [f"{scheme}: connection {number} was used by {visitors[number]}" for number in mixed]
        if used > _READERS + 1:
            failures.append(f"{scheme}: the parent made {used} connections, {_READERS + 1} are enough")
    for failure in failures[:20]:
        _say(failure)
    _say(f"{forks} forks, {work.parent_reads} reads and {work.parts} parts of the parent, {len(failures)} failures")
    return 1 if failures else 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


@dataclass
class _Work:
    """The parent's threads and children."""

    hooks: dict[str, OSSHook]
    failures: list[str] = field(default_factory=list)
    parent_reads: int = 0
    parts: int = 0
    stop: threading.Event = field(default_factory=threading.Event)
    _children: dict[int, str] = field(default_factory=dict)
    _threads: list[threading.Thread] = field(default_factory=list)

    def begin(self) -> None:
        """Use all hooks by as many threads as there will be, then let the threads go on."""
        together = threading.Barrier(len(_SCHEMES) * (_READERS + 1) + 1)
        for hook in self.hooks.values():
            hook.connect()
            targets = [self._read] * _READERS + [self._send]
            for number, target in enumerate(targets):
                self._threads.append(threading.Thread(target=self._noting, args=(target, hook, number, together)))
        for thread in self._threads:
            thread.start()
        together.wait()

    def _noting(
        self, target: Callable[[OSSHook, int], None], hook: OSSHook, number: int, start: threading.Barrier
    ) -> None:
        try:
            target(hook, number)
            start.wait()
            while not self.stop.wait(_PAUSE_SECONDS):
                target(hook, number)
        except BaseException:  # noqa: BLE001 - the top frame of a thread
            start.abort()
            self.failures.append(f"the parent: {traceback.format_exc()}")

    def _read(self, hook: OSSHook, number: int) -> None:
        key = f"witness-parent-{number}-{self.parent_reads}"
        if hook.read_object(key) != content(key):
            self.failures.append(f"the parent read other bytes as {key}")
        self.parent_reads += 1

    def _send(self, hook: OSSHook, _: int) -> None:
        if hook.upload_part(MEDIUM_KEY, UPLOAD_ID, 1, MEDIUM).etag != etag(MEDIUM):
            self.failures.append("the parent's part has another ETag")
        self.parts += 1

    def fork(self, number: int) -> None:
        """Fork; wait for a child first, when there are enough."""
        while len(self._children) >= _AT_A_TIME:
            self._await_one()
        ending = _ENDINGS[number % len(_ENDINGS)]
        child = os.fork()
        if child:
            self._children[child] = f"child {number}, which ends {ending}"
            return
        _be_a_child(self.hooks, number, ending)

    def _await_one(self) -> None:
        child, status = os.wait()
        what, code = self._children.pop(child), os.waitstatus_to_exitcode(status)
        if code not in (_RIGHT, -signal.SIGKILL):
            words = {_WRONG_BYTES: "read other bytes", -signal.SIGALRM: "did not end"}.get(code, f"exited with {code}")
            self.failures.append(f"{what}: {words}")

    def end(self) -> None:
        """Wait for all children, then for the threads."""
        while self._children:
            self._await_one()
        self.stop.set()
        for thread in self._threads:
            thread.join()


def _be_a_child(hooks: dict[str, OSSHook], number: int, ending: str) -> None:
    signal.alarm(_CHILD_SECONDS)
    threads = [
        threading.Thread(target=_read_as_child, args=(hook, f"witness-child-{number}-{scheme}-{thread}"))
        for scheme, hook in hooks.items()
        for thread in range(2)
    ]
    for thread in threads:
        thread.start()
    if ending != "by SIGKILL":
        for thread in threads:
            thread.join()
        if ending == "by os._exit":
            os._exit(_RIGHT)
        raise SystemExit(_RIGHT)
    threads[number % len(threads)].join()
    os.kill(os.getpid(), signal.SIGKILL)


def _read_as_child(hook: OSSHook, name: str) -> None:
    try:
        for number in range(_READS):
            key = f"{name}-{number}"
            if hook.read_object(key) != content(key):
                os._exit(_WRONG_BYTES)
    except BaseException:  # noqa: BLE001 - the top frame of a thread
        traceback.print_exc()
        os._exit(_FAILED)


@dataclass(frozen=True)
class _Server:
    """A server in a process of its own, which is told to say what it has seen by the end of its input."""

    process: subprocess.Popen[str]
    out: IO[str]
    endpoint: str
    verify: bool | str

    @property
    def scheme(self) -> str:
        return self.endpoint.partition(":")[0]

    def hook(self) -> OSSHook:
        hook = OSSHook()
        hook.settings = ClientSettings(
            self.endpoint, Credentials("id", "secret"), "cn-hangzhou", verify=self.verify, default_bucket=BUCKET
        )
        hook.retry = RetryPolicy(tries=1)
        return hook

    def visitors(self) -> dict[str, list[str]]:
        """Return who came over each connection."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        found: dict[str, list[str]] = json.loads(self.out.readline())
        return found


@contextmanager
def _servers(parent: int) -> Iterator[list[_Server]]:
    """Start a plain server and one with TLS. A child that ends by itself comes through here too, and ends nothing."""
    folder = Path(tempfile.mkdtemp())
    made = make_certificate(folder)
    servers = [_start([], verify=True), _start([str(made.certificate), str(made.key)], verify=str(made.certificate))]
    try:
        yield servers
    finally:
        if os.getpid() == parent:
            for server in servers:
                server.process.kill()
                server.process.wait()
            shutil.rmtree(folder)


def _start(arguments: list[str], *, verify: bool | str) -> _Server:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.hostile.serving", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    ready, _, endpoint = process.stdout.readline().strip().partition(" ")
    assert ready == READY
    return _Server(process, process.stdout, endpoint, verify)


if __name__ == "__main__":
    sys.exit(main())
