"""What the tests of leaving let a hook do in a process of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from airflow_provider_oss.engine.retry import RetryPolicy
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.limits import KIB, MIB

Begun = tuple[Callable[[], Any], Callable[[], None]]
"""What is called, and what kills it."""


def many_files(folder: Path) -> Begun:
    """Put files of 8 MiB by several threads."""
    hook = OSSHook()
    files = [(path.name, path) for path in sorted(folder.iterdir())]
    return lambda: list(hook.upload_files(files)), hook.cancel


def a_directory(folder: Path) -> Begun:
    """Put a directory."""
    hook = OSSHook()
    return lambda: hook.upload_directory("a", folder, skip_unchanged=False), hook.cancel


def parts_without_a_store(folder: Path) -> Begun:
    """Upload a file in parts that nobody can continue."""
    hook = OSSHook()
    return lambda: hook.upload_file("key", next(folder.iterdir()), part_size=100 * KIB), hook.cancel


def a_stream_that_stalls(of_parts: int) -> Begun:
    """Upload a stream whose own code waits for a minute after so many parts."""
    hook = OSSHook()

    def stream() -> Iterator[bytes]:
        for _ in range(of_parts):
            yield bytes(100 * KIB)
        hook.put_object("waits", b"")
        time.sleep(60)

    if not of_parts:
        return lambda: hook.put_stream("key", stream), hook.cancel
    return lambda: hook.upload_stream("key", stream, part_size=100 * KIB), hook.cancel


def a_pause(of_tries: int) -> Begun:
    """Ask for what OSS is too busy to tell: the pause between two tries is long."""
    hook = OSSHook()
    hook.retry = RetryPolicy(of_tries, first_delay_seconds=1000.0, longest_delay_seconds=1000.0)
    return lambda: hook.head_object("busy"), hook.cancel


def write_files(folder: Path) -> Path:
    """Write files of 8 MiB; return their folder."""
    tree = folder / "tree"
    tree.mkdir()
    for number in range(8):
        (tree / f"{number}").write_bytes(bytes(8 * MIB))
    return tree
