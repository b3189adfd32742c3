"""Checkpoints in Airflow Variables: for any Airflow, and for tasks that run alone in their DAG."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Final

from airflow.providers.common.compat.sdk import Variable

from airflow_provider_oss.checkpoint import codec
from airflow_provider_oss.model import Checkpoint

KEY_PREFIX: Final = "oss_upload_checkpoint_"


@dataclass(frozen=True, slots=True)
class VariableCheckpointStore:
    """
    Keeps the checkpoint in a Variable of its own, whose description names the task instance.

    The key is a digest: Airflow allows 250 characters, fewer than a dag, run and task id may have, and masks the values
    of Variables whose key contains a word such as "token". Whoever may read Variables sees the checkpoint.
    """

    owner: str

    @property
    def key(self) -> str:
        """The Variable's key."""
        return KEY_PREFIX + hashlib.sha256(self.owner.encode()).hexdigest()[:32]

    def load(self) -> Checkpoint | None:
        """Return the saved checkpoint, if any."""
        # The default is positional because its name differs between Airflow 2 and 3
        text = Variable.get(self.key, None)
        return None if text is None else codec.decode(text, self.owner)

    def save(self, checkpoint: Checkpoint) -> None:
        """Write the Variable."""
        text = json.dumps(codec.encode(checkpoint, self.owner))
        Variable.set(self.key, text, description=f"Checkpoint of the OSS upload of {self.owner}")

    def delete(self) -> None:
        """Remove the Variable."""
        Variable.delete(self.key)
