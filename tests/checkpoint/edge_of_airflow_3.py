"""The other end of Airflow 3's wire: answers what a task asks of its supervisor, from memory instead of a database."""

from __future__ import annotations

from contextlib import contextmanager
from functools import singledispatchmethod
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time import comms, task_runner

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pytest
    from pydantic import BaseModel

    from airflow_provider_oss.checkpoint.choice import InstanceName

OF_TRANSFERS = frozenset({"oss_transfer", "oss_transfer_link"})
UNREACHABLE = AirflowRuntimeError
"""What is raised where the supervisor cannot be asked, or refuses."""


class Supervisor:
    """
    Stands where ``SUPERVISOR_COMMS`` does. Values cross as JSON, as they do on the wire.

    ``down`` makes every request fail. ``task_ids`` are the task instances of the run: an XCom needs one.
    """

    def __init__(self, task_ids: tuple[str, ...] = ("anchor",)) -> None:
        self.task_ids = task_ids
        self.variables: dict[str, comms.PutVariable] = {}
        self.xcoms: dict[tuple[str, ...], Any] = {}
        self.task_state: dict[tuple[str, str], comms.SetTaskStateStore] = {}
        self._task_instances: dict[InstanceName, str | None] = {}
        self.down = False
        self._hides_variables = False

    def send(self, message: BaseModel) -> BaseModel | None:
        """Answer one request. Raises AirflowRuntimeError, as Airflow does for an error answer."""
        if self.down:
            raise error(ErrorType.API_SERVER_ERROR)
        received = type(message).model_validate_json(message.model_dump_json())
        answer: BaseModel | None = self._answer(received)
        return answer

    @singledispatchmethod
    def _answer(self, message: BaseModel) -> BaseModel | None:
        return self._answer_since_33(message)

    def _answer_since_33(self, message: Any) -> BaseModel:
        """Answer what is asked since Airflow 3.3, which the older ones do not know by name."""
        if isinstance(message, comms.GetVariableKeys):
            keys = sorted(key for key in self.variables if key.startswith(message.prefix or ""))
            page = keys[message.offset : message.offset + message.limit]
            return comms.VariableKeysResult(keys=page, total_entries=len(keys))
        address = (str(message.ti_id), message.key)
        if isinstance(message, comms.SetTaskStateStore):
            self.task_state[address] = message
        elif isinstance(message, comms.DeleteTaskStateStore):
            self.task_state.pop(address, None)
        elif isinstance(message, comms.GetTaskStateStore):
            if address not in self.task_state:
                return comms.ErrorResponse(error=ErrorType.TASK_STORE_NOT_FOUND)
            return comms.TaskStateStoreResult(value=self.task_state[address].value)
        else:
            raise NotImplementedError(type(message))
        return comms.OKResponse(ok=True)

    @_answer.register(comms.MaskSecret)
    def _mask_secret(self, _: comms.MaskSecret) -> None:
        """Nothing to answer."""

    @_answer.register(comms.GetVariable)
    def _get_variable(self, message: comms.GetVariable) -> BaseModel:
        if self._hides_variables or message.key not in self.variables:
            return comms.ErrorResponse(error=ErrorType.VARIABLE_NOT_FOUND, detail={"key": message.key})
        return comms.VariableResult(key=message.key, value=self.variables[message.key].value)

    @_answer.register(comms.GetTaskStates)
    def _get_task_states(self, message: comms.GetTaskStates) -> BaseModel:
        states: dict[str, dict[str, str | None]] = {}
        for one, state in self._task_instances.items():
            if one.dag_id == message.dag_id and one.run_id in (message.run_ids or ()):
                name = one.task_id if one.map_index < 0 else f"{one.task_id}_{one.map_index}"
                states.setdefault(one.run_id, {})[name] = state
        return comms.TaskStatesResult(task_states=states)

    @_answer.register(comms.PutVariable)
    def _put_variable(self, message: comms.PutVariable) -> BaseModel:
        assert len(message.key) <= 250
        self.variables[message.key] = message
        return comms.OKResponse(ok=True)

    @_answer.register(comms.DeleteVariable)
    def _delete_variable(self, message: comms.DeleteVariable) -> BaseModel:
        self.variables.pop(message.key, None)
        return comms.OKResponse(ok=True)

    @_answer.register(comms.GetXCom)
    def _get_xcom(self, message: comms.GetXCom) -> BaseModel:
        # The API answers "not found"; the supervisor makes it a value of None
        return comms.XComResult(key=message.key, value=self.xcoms.get(address(message)))

    @_answer.register(comms.SetXCom)
    def _set_xcom(self, message: comms.SetXCom) -> None:
        if message.task_id not in self.task_ids:
            raise error(ErrorType.API_SERVER_ERROR)
        assert len(message.key) <= 512
        self.xcoms[address(message)] = message.value

    @_answer.register(comms.DeleteXCom)
    def _delete_xcom(self, message: comms.DeleteXCom) -> None:
        self.xcoms.pop(address(message), None)

    def plant_variable(self, key: str, value: str) -> None:
        """Write a Variable as a person does."""
        self.variables[key] = comms.PutVariable(key=key, value=value, description=None)

    def plant_task_instances(self, states: Mapping[InstanceName, str | None]) -> None:
        """Let there be these task instances, in these states."""
        self._task_instances |= states

    def hide_variables(self) -> None:
        """Find no Variable: so answers an api-server whose database fails, or which cannot decrypt a value."""
        self._hides_variables = True

    def forget_xcoms(self) -> None:
        """Remove all XComs."""
        self.xcoms.clear()

    def holds_nothing(self) -> bool:
        """Whether nothing is left behind anywhere, but what is to be seen of a transfer that has ended."""
        keys = {*self.variables, *(address[-1] for address in self.xcoms), *(key for _, key in self.task_state)}
        return keys <= OF_TRANSFERS


def error(kind: ErrorType) -> AirflowRuntimeError:
    return AirflowRuntimeError(comms.ErrorResponse(error=kind, detail={"message": "made to fail"}))


def address(message: comms.GetXCom | comms.SetXCom | comms.DeleteXCom) -> tuple[str, ...]:
    """Return where an XCom is; no map index and -1 are one place."""
    index = -1 if message.map_index is None else message.map_index
    return (message.dag_id, message.run_id, message.task_id, str(index), message.key)


@contextmanager
def connected(monkeypatch: pytest.MonkeyPatch, _: Path, task_ids: tuple[str, ...]) -> Iterator[Supervisor]:
    """Let Variable, XCom and the task state store speak to a new Supervisor."""
    supervisor = Supervisor(task_ids)
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", supervisor, raising=False)
    yield supervisor


get_task_states = task_runner.RuntimeTaskInstance.get_task_states
"""What a task instance asks for the states of others."""
