"""
Follows one run of an operator against the local OSS server: ``python upload.py CASE`` prints what it went through.

It is run as a program of its own, of whichever checkout stands first on the path, and imports nothing but that.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FrameType, SimpleNamespace
from typing import Any, Self

import airflow_provider_oss
from airflow_provider_oss.emulator import OSSEmulator
from airflow_provider_oss.operators.directory import OSSUploadDirectoryOperator
from airflow_provider_oss.operators.download import OSSDownloadObjectOperator
from airflow_provider_oss.operators.oss import (
    OSSPutObjectOperator,
    OSSResumableStreamOperator,
    OSSResumableUploadOperator,
)

ROOT = Path(airflow_provider_oss.__file__).parent
PART_BYTES = 100 * 1024
SIZE_BYTES = 10 * PART_BYTES
_IS_FUNCTION = 1
"""The flag of a code object that is no module's and no class's."""


class Follower:
    """A profile function: which functions of the package are entered, and how deep they stand in one another."""

    def __init__(self) -> None:
        self.entered: set[CodeType] = set()
        self.deepest = 0

    def __call__(self, frame: FrameType, event: str, _argument: object) -> None:
        """Take one event."""
        if event == "call" and _counts(frame.f_code):
            self.entered.add(frame.f_code)
            self.deepest = max(self.deepest, _depth(frame))

    def __enter__(self) -> Self:
        threading.setprofile(self)
        sys.setprofile(self)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)
        threading.setprofile(None)


def _counts(code: CodeType) -> bool:
    """Whether it is a function of the package with a name, and not the local server's."""
    path = Path(code.co_filename)
    is_ours = path.is_relative_to(ROOT) and not path.is_relative_to(ROOT / "emulator")
    return is_ours and bool(code.co_flags & _IS_FUNCTION) and not code.co_name.startswith("<")


def _depth(frame: FrameType | None) -> int:
    """Return how many functions of the package are in one another here."""
    depth = 0
    while frame is not None:
        depth += _counts(frame.f_code)
        frame = frame.f_back
    return depth


class TaskState:
    """Airflow's task state store, as far as it is used."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}

    def get(self, key: str) -> Any:
        """Return the value, None when there is none."""
        return json.loads(self._values[key]) if key in self._values else None

    def set(self, key: str, value: Any, **_: object) -> None:
        """Write the value."""
        self._values[key] = json.dumps(value)

    def delete(self, key: str) -> None:
        """Remove the value, if there is one."""
        self._values.pop(key, None)


def context_of(operator: Any) -> Any:
    """Return what of a task's context is used."""
    ti = SimpleNamespace(
        task_id=operator.task_id, map_index=-1, dag_id="house", run_id="run", try_number=1, xcom_push=lambda **_: None
    )
    return {"ti": ti, "task": operator, "run_id": "run", "params": {}, "task_state_store": TaskState()}


def blocks() -> Iterator[bytes]:
    """Yield a stream."""
    for _ in range(10):
        yield bytes(PART_BYTES)


def upload(file: Path) -> Any:
    """Return the operator that uploads a file in parts."""
    return OSSResumableUploadOperator(task_id="upload", key="key", file_path=str(file), part_size=PART_BYTES)


def download(file: Path) -> Any:
    """Store the file, and return the operator that downloads it."""
    upload(file).execute(context_of(upload(file)))
    return OSSDownloadObjectOperator(
        task_id="download", key="key", file_path=str(file.with_suffix(".copy")), part_size=PART_BYTES
    )


CASES: dict[str, Callable[[Path], Any]] = {
    "text": lambda _: OSSPutObjectOperator(task_id="put", key="key", data="hello"),
    "file": upload,
    "stream": lambda _: OSSResumableStreamOperator(task_id="put", key="key", stream=blocks, part_size=PART_BYTES),
    "directory": lambda file: OSSUploadDirectoryOperator(
        task_id="put", key="key", directory=str(file.parent), part_size=PART_BYTES
    ),
    "download": download,
}
"""Operators that are given a file of ten parts, in a folder with a small one."""


def follow(case: str, folder: Path) -> Follower:
    """Run the operator of a case."""
    file = folder / "tree" / "file.bin"
    file.parent.mkdir()
    file.write_bytes(os.urandom(SIZE_BYTES))
    (file.parent / "small").write_bytes(b"small")
    with OSSEmulator(root=folder / "oss", buckets=("exports",)) as server:
        os.environ["AIRFLOW_CONN_OSS_DEFAULT"] = json.dumps(
            {
                "conn_type": "aliyun_oss",
                "login": "local-access-key-id",
                "password": "local-access-key-secret",
                "host": server.endpoint,
                "schema": "exports",
                "extra": {"region": "cn-hangzhou"},
            }
        )
        operator = CASES[case](file)
        context = context_of(operator)
        with Follower() as follower:
            operator.execute(context)
    return follower


def main() -> None:
    """Print files, functions and the deepest stack."""
    with tempfile.TemporaryDirectory() as folder:
        found = follow(sys.argv[1], Path(folder))
    files = {code.co_filename for code in found.entered}
    print(json.dumps([len(files), len(found.entered), found.deepest]))


if __name__ == "__main__":
    main()
