"""Records as files: written whole or not at all, and read with a word on what is wrong with one."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Final, TypeVar

from airflow_provider_oss.emulator.state.records import (
    BucketRecord,
    ObjectRecord,
    PartRecord,
    UploadRecord,
    record_to_json,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

TEMPORARY: Final = ".new"
"""How the name of a file ends that is being written."""

Record = TypeVar("Record", BucketRecord, ObjectRecord, UploadRecord, PartRecord)


def write_record(path: Path, record: BucketRecord | ObjectRecord | UploadRecord | PartRecord) -> None:
    """Write beside and rename: the file is there whole or not at all."""
    beside = path.with_name(path.name + TEMPORARY)
    beside.write_text(json.dumps(record_to_json(record), separators=(",", ":")), encoding="utf-8")
    os.replace(beside, path)  # noqa: PTH105 - Path.replace is the same with one more object


def read_record(path: Path, from_json: Callable[[dict[str, Any]], Record], home: Callable[[Record], Path]) -> Record:
    """Return the record in the file. Raises RuntimeError that names a file in which there is none, or another's."""
    try:
        record = from_json(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _damaged(path, f"{type(error).__name__}: {error}") from error
    if home(record) != path:
        raise _damaged(path, "what it describes has its record elsewhere")
    return record


def _damaged(path: Path, why: str) -> RuntimeError:
    return RuntimeError(
        f"the record {path} is damaged ({why}): bring the file back from a copy, or remove it, and with it what it "
        "describes"
    )
