"""
Airflow's own edges, kept in a file that outlives a killed process: task state, Variables and XComs.

Each does what Airflow's does as far as the checkpoint stores use it, and refuses what is no JSON, as Airflow would.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

_CHECKPOINT: Final = "/oss_upload_checkpoint"
"""In the keys of checkpoints, and in no others."""


def _nothing(_operation: str) -> None:
    pass


@dataclass(slots=True)
class StateFile:
    """A small map in a file, replaced whole. ``before`` and ``after`` are told of every access to a checkpoint."""

    path: Path
    before: Callable[[str], None] = _nothing
    after: Callable[[str], None] = _nothing

    def read(self, key: str) -> Any:
        return self._told(key, "load", lambda: self._all().get(key))

    def write(self, key: str, value: Any) -> None:
        self._told(key, "save", lambda: self._replace({**self._all(), key: value}))

    def remove(self, key: str) -> None:
        self._told(key, "delete", lambda: self._replace({k: v for k, v in self._all().items() if k != key}))

    @property
    def content(self) -> dict[str, Any]:
        """Everything that is stored, without telling anybody."""
        return self._all()

    def put(self, content: dict[str, Any]) -> None:
        """Replace everything, without telling anybody."""
        self._replace(content)

    def _told(self, key: str, what: str, act: Callable[[], Any]) -> Any:
        if _CHECKPOINT not in key:
            return act()
        self.before(what)
        value = act()
        self.after(what)
        return value

    def _all(self) -> dict[str, Any]:
        return json.loads(self.path.read_text()) if self.path.exists() else {}

    def _replace(self, content: dict[str, Any]) -> None:
        beside = self.path.with_suffix(f".{threading.get_native_id()}")  # two attempts may be at work
        beside.write_text(json.dumps(content))
        beside.replace(self.path)


@dataclass(frozen=True, slots=True)
class TaskStateAccessor:
    """``context["task_state_store"]``, of one task instance: ``name`` tells it from others with the same file."""

    file: StateFile
    name: str = "task_state"

    def get(self, key: str) -> Any:
        return self.file.read(f"{self.name}/{key}")

    def set(self, key: str, value: Any, *, retention: timedelta) -> None:
        assert retention > timedelta(0)
        self.file.write(f"{self.name}/{key}", value)

    def delete(self, key: str) -> None:
        self.file.remove(f"{self.name}/{key}")


@dataclass(frozen=True, slots=True)
class Variables:
    """``airflow.sdk.Variable``."""

    file: StateFile

    def get(self, key: str, default: Any) -> Any:
        value = self.file.read(f"variable/{key}")
        return default if value is None else value

    def keys(self, prefix: str) -> list[str]:
        names = (name.partition("/") for name in self.file.content)
        return [key for kind, _, key in names if kind == "variable" and key.startswith(prefix)]

    def set(self, key: str, value: str, description: str) -> None:
        assert isinstance(value, str)
        assert description
        self.file.write(f"variable/{key}", value)

    def delete(self, key: str) -> None:
        self.file.remove(f"variable/{key}")


@dataclass(frozen=True, slots=True)
class XComs:
    """``airflow.sdk.XCom``."""

    file: StateFile

    def get_one(self, *, key: str, dag_id: str, run_id: str, task_id: str, map_index: int) -> Any:
        return self.file.read(_xcom(dag_id, run_id, task_id, map_index, key))

    def set(self, *, key: str, value: Any, dag_id: str, run_id: str, task_id: str) -> None:
        self.file.write(_xcom(dag_id, run_id, task_id, -1, key), value)

    def delete(self, *, key: str, dag_id: str, run_id: str, task_id: str, map_index: int) -> None:
        self.file.remove(_xcom(dag_id, run_id, task_id, map_index, key))


def _xcom(dag_id: str, run_id: str, task_id: str, map_index: int, key: str) -> str:
    return f"xcom/{dag_id}/{run_id}/{task_id}/{map_index}/{key}"


def store_context(file: StateFile) -> dict[str, Any]:
    """Return what of the task's context the stores use."""
    return {"task_state_store": TaskStateAccessor(file)}


@contextmanager
def airflow_edges(file: StateFile) -> Iterator[None]:
    """Let the Variable and XCom stores use the file as if it were Airflow 3.3, in this process, in this block."""
    with (
        patch("airflow_provider_oss.checkpoint.variable.Variable", Variables(file)),
        patch("airflow_provider_oss.checkpoint.variable.AIRFLOW_V_3_0_PLUS", new=True),
        patch("airflow_provider_oss.checkpoint.xcom.XCom", XComs(file)),
        patch("airflow_provider_oss.checkpoint.xcom.AIRFLOW_V_3_0_PLUS", new=True),
    ):
        yield


def checkpoints_in(content: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the checkpoints that are stored, by their keys; beside them are records of transfers, and XComs."""
    parsed = {key: _parsed(value) for key, value in content.items()}
    return {key: value for key, value in parsed.items() if isinstance(value, dict) and "upload_id" in value}


def _parsed(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) and value.startswith("{") else value


def named_upload(content: dict[str, Any]) -> str | None:
    """Return the upload id that the stored checkpoint names: empty for one about to begin, None for no checkpoint."""
    return next((str(one["upload_id"]) for one in checkpoints_in(content).values()), None)
