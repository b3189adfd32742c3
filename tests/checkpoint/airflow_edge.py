"""The other end of Airflow's wire: answers what a task asks of its supervisor, from memory instead of a database.

Everything on the task's side of that wire is Airflow's own: Variable, XCom, the task state store's accessor.
"""

from __future__ import annotations

from functools import singledispatchmethod
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time import comms

if TYPE_CHECKING:
    from pydantic import BaseModel


class Supervisor:
    """
    Stands where ``SUPERVISOR_COMMS`` does. Values cross as JSON, as they do on the wire.

    ``down`` makes every request fail. ``hides_variables`` finds no Variable: so answers an api-server whose database
    fails, or which cannot decrypt a value. ``task_instances`` are states, by dag, run and task id; that of a mapped
    instance is followed by "_" and its index. ``task_ids`` are the task instances of the run: an XCom needs one.
    """

    def __init__(self, task_ids: tuple[str, ...] = ("anchor",)) -> None:
        self.task_ids = task_ids
        self.variables: dict[str, comms.PutVariable] = {}
        self.xcoms: dict[tuple[str, ...], Any] = {}
        self.task_state: dict[tuple[str, str], comms.SetTaskStateStore] = {}
        self.task_instances: dict[tuple[str, str, str], str | None] = {}
        self.down = False
        self.hides_variables = False

    def send(self, message: BaseModel) -> BaseModel | None:
        """Answer one request. Raises AirflowRuntimeError, as Airflow does for an error answer."""
        if self.down:
            raise error(ErrorType.API_SERVER_ERROR)
        received = type(message).model_validate_json(message.model_dump_json())
        answer: BaseModel | None = self._answer(received)
        return answer

    @singledispatchmethod
    def _answer(self, message: BaseModel) -> BaseModel | None:
        raise NotImplementedError(type(message))

    @_answer.register(comms.MaskSecret)
    def _mask_secret(self, _: comms.MaskSecret) -> None:
        """Nothing to answer."""

    @_answer.register(comms.GetVariable)
    def _get_variable(self, message: comms.GetVariable) -> BaseModel:
        if self.hides_variables or message.key not in self.variables:
            return comms.ErrorResponse(error=ErrorType.VARIABLE_NOT_FOUND, detail={"key": message.key})
        return comms.VariableResult(key=message.key, value=self.variables[message.key].value)

    @_answer.register(comms.GetVariableKeys)
    def _get_variable_keys(self, message: comms.GetVariableKeys) -> BaseModel:
        keys = sorted(key for key in self.variables if key.startswith(message.prefix or ""))
        return comms.VariableKeysResult(
            keys=keys[message.offset : message.offset + message.limit], total_entries=len(keys)
        )

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

    @_answer.register(comms.GetTaskStateStore)
    def _get_task_state_store(self, message: comms.GetTaskStateStore) -> BaseModel:
        stored = self.task_state.get((str(message.ti_id), message.key))
        if stored is None:
            return comms.ErrorResponse(error=ErrorType.TASK_STORE_NOT_FOUND)
        return comms.TaskStateStoreResult(value=stored.value)

    @_answer.register(comms.SetTaskStateStore)
    def _set_task_state_store(self, message: comms.SetTaskStateStore) -> BaseModel:
        self.task_state[str(message.ti_id), message.key] = message
        return comms.OKResponse(ok=True)

    @_answer.register(comms.DeleteTaskStateStore)
    def _delete_task_state_store(self, message: comms.DeleteTaskStateStore) -> BaseModel:
        self.task_state.pop((str(message.ti_id), message.key), None)
        return comms.OKResponse(ok=True)

    @_answer.register(comms.GetTaskStates)
    def _get_task_states(self, message: comms.GetTaskStates) -> BaseModel:
        states: dict[str, dict[str, str | None]] = {}
        for (dag_id, run_id, name), state in self.task_instances.items():
            if dag_id == message.dag_id and run_id in (message.run_ids or ()):
                states.setdefault(run_id, {})[name] = state
        return comms.TaskStatesResult(task_states=states)

    def holds_nothing(self) -> bool:
        """Whether nothing is left behind anywhere."""
        return not self.variables and not self.xcoms and not self.task_state


def error(kind: ErrorType) -> AirflowRuntimeError:
    return AirflowRuntimeError(comms.ErrorResponse(error=kind, detail={"message": "made to fail"}))


def address(message: comms.GetXCom | comms.SetXCom | comms.DeleteXCom) -> tuple[str, ...]:
    """Return where an XCom is; no map index and -1 are one place."""
    index = -1 if message.map_index is None else message.map_index
    return (message.dag_id, message.run_id, message.task_id, str(index), message.key)
