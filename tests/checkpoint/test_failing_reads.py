"""A read that fails is never "nothing saved": Airflow 3's own wire, with answers that a supervisor really sends."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time import comms, task_runner

from airflow_provider_oss.checkpoint.task_state import TaskStateCheckpointStore
from airflow_provider_oss.checkpoint.variable import VariableCheckpointStore
from airflow_provider_oss.checkpoint.xcom import XComCheckpointStore
from airflow_provider_oss.ports import CheckpointStore
from tests.checkpoint.airflow_edge import task_state_accessor
from tests.support.airflow_version import HAS_TASK_STATE

OWNER = "export/run/upload"
STORES: dict[str, CheckpointStore] = {
    **({"task_state": TaskStateCheckpointStore(task_state_accessor(), OWNER)} if HAS_TASK_STATE else {}),
    "variable": VariableCheckpointStore(OWNER),
    "xcom": XComCheckpointStore("export", "run", "anchor", OWNER),
}
ERRORS = [
    comms.ErrorResponse(error=kind, detail={"status_code": 500, "message": "made to fail", "detail": None})
    for kind in ErrorType
    if kind.value in ("API_SERVER_ERROR", "PERMISSION_DENIED")  # the second one came after Airflow 3.0
]

each_store = pytest.mark.parametrize("store", STORES.values(), ids=STORES)


class Wire:
    """The supervisor's end of the socket that a task speaks through."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair()
        self.decoder: comms.CommsDecoder[Any, Any] = comms.CommsDecoder(socket=theirs)
        self._theirs = theirs
        self.answer: dict[str, Any] = {}
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._ours.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._ours.close()
        self._theirs.close()

    def _serve(self) -> None:
        while length := self._ours.recv(4, socket.MSG_WAITALL):
            frame = self._ours.recv(int.from_bytes(length, "big"), socket.MSG_WAITALL)
            request_id = msgspec.msgpack.decode(frame)[0]
            self._ours.sendall(comms._ResponseFrame(id=request_id, **self.answer).as_bytes())


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    """What the task's side of Airflow speaks to."""
    wire = Wire()
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", wire.decoder, raising=False)
    yield wire
    wire.close()


@each_store
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.error.value)
@pytest.mark.parametrize("place", ["error", "body"])
def test_error_answer(wire: Wire, store: CheckpointStore, error: comms.ErrorResponse, place: str) -> None:
    """An error of the api-server raises, whether the supervisor sends it as the answer or in its place."""
    wire.answer = {place: error.model_dump()}
    with pytest.raises((AirflowRuntimeError, PermissionError, TypeError), match=r"(?i)api_server_error|denied"):
        store.load()


@each_store
def test_supervisor_that_is_gone(wire: Wire, store: CheckpointStore) -> None:
    """A wire that breaks raises."""
    wire._ours.shutdown(socket.SHUT_RDWR)
    with pytest.raises(OSError, match=r"(?i)broken pipe|reset"):
        store.load()
