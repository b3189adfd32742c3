"""A hook that is copied, handed to another process, used by many threads, and used when the process ends."""

from __future__ import annotations

import base64
import copy
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_provider_oss.emulator import OSSEmulator
from airflow_provider_oss.engine.retry import RetryPolicy
from airflow_provider_oss.exceptions import OSSUploadCancelled
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.limits import KIB
from tests.conftest import BUCKET, KEY_SECRET, REGION, connection_json
from tests.hooks.conftest import MakeHook
from tests.support.airflow_home import airflow_environment

UNPICKLE = """
import base64, pickle, sys
hook = pickle.loads(base64.b64decode(sys.argv[1]))
hook.put_object("from another process", hook.read_object("key"))
"""
USE = """
import os, sys, threading
from pathlib import Path
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.fs.filesystem import OSSFileSystem

folder = Path(sys.argv[1])
hook = OSSHook()

def use():
    hook.upload_directory("tree", folder)
    hook.upload_directory("tree", folder)
    hook.upload_file("parts", folder / "medium", part_size=100 * 1024)
    hook.upload_stream("stream", lambda: (folder / "medium").open("rb"), part_size=100 * 1024)
    list(hook.upload_files([("one", folder / "small"), ("two", folder / "medium")]))
    hook.download_file("parts", folder / "got", part_size=100 * 1024)
    with OSSFileSystem().open("exports/written", "wb") as file:
        file.write((folder / "medium").read_bytes() * 30)
    hook.put_object("done", b"")
"""
IN_A_THREAD = """
def use_afterwards():
    threading.main_thread().join()
    use()

threading.Thread(target=use_afterwards).start()
"""
AT_EXIT = """
import atexit
atexit.register(use)
"""
WITHOUT_THREADS = """
def refuse(self):
    raise RuntimeError("can't create new thread at interpreter shutdown")

threading.Thread.start = refuse
use()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tree with a small file and one of several parts."""
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "small").write_bytes(b"small")
    (tree / "medium").write_bytes(bytes(range(256)) * 2 * KIB)
    return tree


def run_python(server: OSSEmulator, tmp_path: Path, program: str, argument: str) -> None:
    (tmp_path / "airflow.cfg").touch()
    subprocess.run(
        [sys.executable, "-c", program, argument],
        env=airflow_environment(tmp_path, tmp_path / "dags", {"AIRFLOW_CONN_OSS_DEFAULT": connection_json(server)}),
        cwd=Path(__file__).parents[2],
        check=True,
        timeout=120,
    )


def test_another_process(server: OSSEmulator, hook: OSSHook, tmp_path: Path) -> None:
    """A hook that was used can be pickled; another process uses it with its own connections."""
    hook.put_object("key", b"data")
    run_python(server, tmp_path, UNPICKLE, base64.b64encode(pickle.dumps(hook)).decode())
    assert hook.read_object("from another process") == b"data"


def pickled(hook: OSSHook) -> OSSHook:
    copied: OSSHook = pickle.loads(pickle.dumps(hook))  # noqa: S301 - made here
    return copied


@pytest.mark.parametrize("copied", [pickled, copy.deepcopy, copy.copy], ids=["pickle", "deep", "copy"])
def test_a_copy_has_the_arguments(make_hook: MakeHook, copied: Callable[[OSSHook], OSSHook]) -> None:
    """A copy is a hook of the same arguments that was not used, nor told to stop, yet."""
    hook = make_hook("other")
    hook.region = REGION
    hook.retry = RetryPolicy(tries=7)
    hook.put_object("key", b"data")
    hook.cancel()

    made = copied(hook)

    assert (made.oss_conn_id, made.bucket_name, made.region) == (hook.oss_conn_id, "other", REGION)
    assert made.retry == RetryPolicy(tries=7)
    assert made.read_object("key") == b"data"
    with pytest.raises(OSSUploadCancelled):
        hook.read_object("key")


def test_a_copy_holds_no_secret(hook: OSSHook) -> None:
    """What is pickled names the connection; it holds nothing of it."""
    hook.put_object("key", b"data")
    assert KEY_SECRET.encode() not in pickle.dumps(hook)


def test_many_threads_at_once(hook: OSSHook) -> None:
    """Threads that are the first to use a hook, all at once, share its connections, and each gets its own object."""
    together, failures = threading.Barrier(16), []

    def use(number: int) -> None:
        together.wait(20)
        try:
            for turn in range(10):
                data = f"{number} {turn}".encode()
                hook.put_object(f"{number}", data)
                assert hook.read_object(f"{number}") == data
        except BaseException as error:  # noqa: BLE001 - the top frame of a thread
            failures.append(error)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@pytest.mark.parametrize("how", [IN_A_THREAD, AT_EXIT, WITHOUT_THREADS], ids=["thread", "exit", "no threads"])
def test_the_process_ends(server: OSSEmulator, hook: OSSHook, tmp_path: Path, folder: Path, how: str) -> None:
    """All works in a thread that outlives the main one, at exit, and where no thread can be begun any more."""
    run_python(server, tmp_path, USE + how, str(folder))
    medium = (folder / "medium").read_bytes()
    assert hook.read_object("tree/medium") == medium
    assert hook.read_object("parts") == hook.read_object("stream") == hook.read_object("two") == medium
    assert hook.read_object("written") == medium * 30
    assert hook.read_object("done") == b""
    assert (folder / "got").read_bytes() == medium
    assert not list(hook.list_multipart_uploads(bucket_name=BUCKET))
