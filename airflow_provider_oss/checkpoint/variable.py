"""Checkpoints in Airflow Variables: for any Airflow, and for tasks that run alone in their DAG."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from airflow.providers.common.compat.sdk import Variable
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_oss.checkpoint import codec
from airflow_provider_oss.exceptions import OSSTransientError
from airflow_provider_oss.model import FoundCheckpoint

KEY_PREFIX: Final = "oss_upload_checkpoint_"


@dataclass(frozen=True, slots=True)
class VariableCheckpointStore(codec.EntryStore):
    """
    Keeps the checkpoint in a Variable of its own, whose description names the task instance.

    The key is a digest: Airflow allows 250 characters, fewer than a dag, run and task id may have, and masks the values
    of Variables whose key contains a word such as "token". Whoever may read Variables sees the checkpoint.
    """

    owner: str

    setting: ClassVar[str] = ""

    @classmethod
    def of_task(
        cls,
        context: Mapping[str, Any],  # noqa: ARG003 - the owner is all it needs
        owner: str,
        number: int,  # noqa: ARG003
        setting: str,  # noqa: ARG003
    ) -> VariableCheckpointStore:
        """Return the task instance's store."""
        return cls(owner)

    @classmethod
    def is_seen(cls, context: Mapping[str, Any]) -> bool:  # noqa: ARG003 - the same for all tasks
        """Whether tasks may list Variables: on Airflow 3.0 to 3.2 they may not."""
        return not AIRFLOW_V_3_0_PLUS or hasattr(Variable, "keys")

    @classmethod
    def find(cls, context: Mapping[str, Any]) -> Iterator[FoundCheckpoint]:  # noqa: ARG003
        """Yield all checkpoints in Variables that can be listed."""
        for key in stored_keys(KEY_PREFIX) or ():
            text = read(key, "a checkpoint")
            if text is not None:  # else it was deleted meanwhile
                yield codec.found(f"Variable {key}", text, key)

    @property
    def key(self) -> str:
        """The Variable's key."""
        return KEY_PREFIX + hashlib.sha256(self.owner.encode()).hexdigest()[:32]

    def load_entry(self) -> codec.Entry | None:
        """Return what was saved, if anything. Raises when Airflow cannot be asked, or does not give what is there."""
        text = read(self.key, f"the checkpoint of {self.owner!r}")
        return None if text is None else codec.decode_entry(text, self.owner)

    def save_entry(self, entry: codec.Entry) -> None:
        """Write the Variable. Raises when Airflow did not take it."""
        text = json.dumps(codec.encode_entry(entry, self.owner))
        Variable.set(self.key, text, description=f"Checkpoint of the OSS upload of {self.owner}")
        if _hides_failures() and Variable.get(self.key, None) != text:
            raise OSSTransientError(f"Airflow did not save the Variable {self.key!r}, the checkpoint of {self.owner!r}")

    def delete(self) -> None:
        """Remove the Variable. Raises when it is still there."""
        Variable.delete(self.key)
        if _hides_failures() and _is_stored(self.key):
            raise OSSTransientError(
                f"Airflow did not delete the Variable {self.key!r}: the upload has ended, delete it"
            )


def read(key: str, what: str) -> str | None:
    """Return the Variable's text, None when there is none. Raises when Airflow cannot be asked, or does not give it."""
    # The default is positional because its name differs between Airflow 2 and 3
    text: str | None = Variable.get(key, None)
    # Variable.get answers its default for every failure too, and so does the api-server for one of its database
    if text is None and _is_stored(key):
        raise OSSTransientError(
            f"Airflow has the Variable {key!r}, {what}, but did not give its value: delete the Variable if it cannot "
            "be decrypted any more"
        )
    return text


def stored_keys(prefix: str) -> Sequence[str] | None:
    """Return the keys of all Variables that begin so; None on Airflow 3.0 to 3.2, where a task cannot ask for them."""
    if not AIRFLOW_V_3_0_PLUS:
        return _keys_in_database(prefix)
    if hasattr(Variable, "keys"):  # since Airflow 3.3; the api-server asks its database for nothing else
        return list(Variable.keys(prefix=prefix))
    return None


def _is_stored(key: str) -> bool:
    """Return whether there is such a Variable. Raises when that cannot be found out."""
    keys = stored_keys(key)
    return _is_answered(key) if keys is None else key in keys


def _hides_failures() -> bool:
    """Return whether Variable.set and Variable.delete only log an error answer, as in Airflow 3.0 to 3.2."""
    return AIRFLOW_V_3_0_PLUS and not hasattr(Variable, "keys")  # it came when that was mended, with 3.3


def _keys_in_database(prefix: str) -> list[str]:
    """Ask the database, which tasks of Airflow 2 may do."""
    from airflow.models.variable import Variable as StoredVariable  # noqa: PLC0415 - not for tasks of Airflow 3
    from airflow.utils.session import create_session  # noqa: PLC0415

    with create_session() as session:
        found = session.query(StoredVariable.key).filter(StoredVariable.key.startswith(prefix, autoescape=True))
        return [key for (key,) in found]


def _is_answered(key: str) -> bool:
    """Ask the api-server as Variable.get does, and look at the answer, which Airflow 3.1 and 3.2 do not."""
    from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType  # noqa: PLC0415, TID251 - not in Airflow 2
    from airflow.sdk.execution_time import comms, task_runner  # noqa: PLC0415, TID251

    answer = task_runner.SUPERVISOR_COMMS.send(comms.GetVariable(key=key))
    if isinstance(answer, comms.ErrorResponse):
        if answer.error is ErrorType.VARIABLE_NOT_FOUND:
            return False
        raise AirflowRuntimeError(answer)
    return True
