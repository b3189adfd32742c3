"""What is written of checkpoints and transfers, noted by the metadata database itself: triggers of SQLite."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_CHECKPOINTS: Final = "oss_upload_checkpoint"
_RECORD: Final = "oss_transfer"
_VALUES: Final = {"task_state_store": "value", "variable": "val", "xcom": "value"}
"""The tables, with the column that holds the checkpoint."""
_TABLE: Final = """
CREATE TABLE benchmark_writes (
    id INTEGER PRIMARY KEY, place TEXT, operation TEXT, size_bytes INTEGER, value TEXT, is_record INTEGER
)
"""
_TRIGGER: Final = """
CREATE TRIGGER benchmark_{place}_{operation} AFTER {operation} ON {place}
WHEN {row}.key LIKE '{checkpoints}%' OR {row}.key = '{record}'
BEGIN
    INSERT INTO benchmark_writes (place, operation, size_bytes, value, is_record)
    VALUES ('{place}', '{operation}', length(CAST({row}.{value} AS BLOB)), {row}.{value}, {row}.key = '{record}');
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
    """Of a checkpoint's entry; of the record's own, the record."""
    is_record: bool
    """Whether it is the entry of the transfer's record, and not of a checkpoint, with the record beside it."""

    @property
    def is_save(self) -> bool:
        """Whether a checkpoint was written."""
        return self.operation != "DELETE" and not self.is_record


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
                            place=place,
                            operation=operation,
                            row=row,
                            value=value,
                            checkpoints=_CHECKPOINTS,
                            record=_RECORD,
                        )
                    )

    def writes(self, after: int = 0) -> list[Write]:
        """Return what was written, first to last, but for the first ``after`` of it."""
        with closing(self._connect()) as connection:
            rows = connection.execute(
                "SELECT place, operation, size_bytes, value, is_record FROM benchmark_writes "
                "ORDER BY id LIMIT -1 OFFSET ?",
                (after,),
            ).fetchall()
        return [
            Write(place, operation, size, json.loads(value), bool(own)) for place, operation, size, value, own in rows
        ]

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._database, timeout=30)
