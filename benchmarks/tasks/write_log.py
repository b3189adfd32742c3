"""What is written to the tables that hold checkpoints, noted by the metadata database itself: triggers of SQLite."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_CHECKPOINTS: Final = "oss_upload_checkpoint"
_VALUES: Final = {"task_state_store": "value", "variable": "val", "xcom": "value"}
"""The tables, with the column that holds the checkpoint."""
_TABLE: Final = """
CREATE TABLE benchmark_writes (id INTEGER PRIMARY KEY, place TEXT, operation TEXT, size_bytes INTEGER, value TEXT)
"""
_TRIGGER: Final = """
CREATE TRIGGER benchmark_{place}_{operation} AFTER {operation} ON {place}
WHEN {row}.key LIKE '{checkpoints}%'
BEGIN
    INSERT INTO benchmark_writes (place, operation, size_bytes, value)
    VALUES ('{place}', '{operation}', length(CAST({row}.{value} AS BLOB)), {row}.{value});
END
"""


@dataclass(frozen=True, slots=True)
class Write:
    """A row that was inserted or updated, or the last of it when it was deleted."""

    place: str
    """The table."""
    operation: str
    size_bytes: int
    """Of the value, as the table holds it."""
    checkpoint: dict[str, Any]

    @property
    def is_save(self) -> bool:
        """Whether a checkpoint was written."""
        return self.operation != "DELETE"


class WriteLog:
    """Notes every write of a checkpoint, from now on."""

    def __init__(self, database: Path) -> None:
        self._database = database
        with closing(self._connect()) as connection, connection:
            connection.execute(_TABLE)
            for place, value in _VALUES.items():
                for operation, row in (("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD")):
                    connection.execute(
                        _TRIGGER.format(
                            place=place, operation=operation, row=row, value=value, checkpoints=_CHECKPOINTS
                        )
                    )

    def writes(self, after: int = 0) -> list[Write]:
        """Return what was written, first to last, but for the first ``after`` of it."""
        with closing(self._connect()) as connection:
            rows = connection.execute(
                "SELECT place, operation, size_bytes, value FROM benchmark_writes ORDER BY id LIMIT -1 OFFSET ?",
                (after,),
            ).fetchall()
        return [Write(place, operation, size, json.loads(value)) for place, operation, size, value in rows]

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._database, timeout=30)
