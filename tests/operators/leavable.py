"""An instance of every operator and sensor of the package, that asks OSS something."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final
from unittest.mock import patch

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_oss.engine.planned import PlannedUpload, RangeResult, fingerprint_digest
from airflow_provider_oss.engine.source import FileSource
from airflow_provider_oss.limits import KIB, MIB
from airflow_provider_oss.model import Fingerprint, ObjectOptions
from airflow_provider_oss.options import digest
from tests.chaos.edges import StateFile, airflow_edges, store_context
from tests.conftest import BUCKET
from tests.support.discovery import operators

SENDS_NOTHING: Final = frozenset({"OSSPlanDirectoryOperator", "OSSPresignURLOperator", "SQLPlanExportOperator"})

_SIZES: Final = ("size", "sent_size", "skipped_size", "deleted_size", "failed_size", "bytes_sent", "bytes_verified")
_NUMBERS: Final = ("files", "sent", "skipped", "deleted", "failed", "not_tried", "left_out", "elapsed_seconds")
RESULT: Final[Mapping[str, Any]] = {
    "bucket": BUCKET,
    "prefix": "a/",
    "uri": f"oss://{BUCKET}/a/",
    "dry_run": False,
    "failures": [],
    "shard": {"after": None, "until": None},
    **dict.fromkeys((*_SIZES, *_NUMBERS), 0),
}
"""What the task of a shard has returned, but for its directory."""

EXPORTED: Final[Mapping[str, Any]] = {
    "shard": {"index": 0, "parameters": {"first": 1, "last": 2}},
    "manifest": f"oss://{BUCKET}/_a-00000-manifest.json",
    "manifest_crc64": "0",
    "resumed": False,
    **dict.fromkeys(("rows", "bytes", "objects", "bytes_sent", "bytes_verified", "elapsed_seconds"), 0),
}
"""What the task of an export's shard has returned."""


def _chunks() -> Iterator[bytes]:
    for _ in range(64):
        yield bytes(MIB)


def _planned(folder: Path) -> dict[str, Any]:
    """Return what a planning task says of the large file."""
    file = folder / "tree" / "large"
    seen = Fingerprint(str(file), 20 * MIB)
    if file.exists():
        with closing(FileSource(str(file)).open()) as reader:
            seen = reader.fingerprint
    return PlannedUpload(
        bucket=BUCKET,
        key="a",
        upload_id="0123456789ABCDEF0123456789ABCDEF",
        size=20 * MIB,
        part_size=8 * MIB,
        parts=3,
        source=seen.name,
        fingerprint=fingerprint_digest(seen),
        options=digest(ObjectOptions()),
        created_at="2026-11-30T00:00:00+00:00",
    ).as_dict()


def _results(folder: Path) -> list[dict[str, Any]]:
    """Return what the one task that sends all of it has returned."""
    seal = _planned(folder)["seal"]
    return [RangeResult(seal, "1-3", 20 * MIB, "0", "", bytes_sent=0, bytes_verified=0, elapsed_seconds=0.0).as_dict()]


ARGUMENTS: Final[Mapping[str, Callable[[Path], dict[str, Any]]]] = {
    "OSSAbortStaleUploadsOperator": lambda _: {"older_than": timedelta(hours=1)},
    "OSSCopyObjectOperator": lambda _: {"source_key": "a", "key": "b"},
    "OSSCreateBucketOperator": lambda _: {"bucket_name": "another"},
    "OSSDeleteBucketOperator": lambda _: {"bucket_name": "another"},
    "OSSDeleteObjectTagsOperator": lambda _: {"key": "a"},
    "OSSDeleteObjectsOperator": lambda _: {"prefix": "logs/"},
    "OSSDownloadObjectOperator": lambda folder: {"key": "a", "file_path": folder / "got"},
    "OSSFinishDirectoryOperator": lambda folder: {
        "key": "a",
        "directory": folder / "tree",
        "shards": [{"after": None, "until": None}],
        "results": [{**RESULT, "directory": str(folder / "tree")}],
        "delete_removed": True,
    },
    "OSSGetObjectTagsOperator": lambda _: {"key": "a"},
    "OSSKeySensor": lambda _: {"key": "a", "poke_interval": 60},
    "OSSKeysUnchangedSensor": lambda _: {"prefix": "a", "poke_interval": 60},
    "OSSListOperator": lambda _: {"prefix": "a"},
    "OSSPlanDirectoryOperator": lambda folder: {"key": "a", "directory": folder / "tree"},
    "OSSPresignURLOperator": lambda _: {"key": "a"},
    "OSSPutObjectOperator": lambda folder: {"key": "a", "file_path": folder / "tree" / "large"},
    "OSSPutStreamOperator": lambda _: {"key": "a", "stream": _chunks},
    "OSSResumableStreamOperator": lambda _: {"key": "a", "stream": _chunks},
    "OSSResumableUploadOperator": lambda folder: {"key": "a", "file_path": folder / "tree" / "large"},
    "OSSSetObjectTagsOperator": lambda _: {"key": "a", "tags": {"a": "b"}},
    "OSSUploadDecoratedOperator": lambda _: {"key": "a", "python_callable": _chunks},
    "OSSUploadDirectoryOperator": lambda folder: {"key": "a", "directory": folder / "tree", "skip_unchanged": False},
    "OSSUploadFilesOperator": lambda folder: {
        "key": "a",
        "files": sorted((folder / "tree").glob("*")),
        "skip_unchanged": False,
    },
    "OSSAbandonUploadOperator": lambda folder: {"upload": _planned(folder)},
    "OSSCompleteUploadOperator": lambda folder: {"key": "a", "upload": _planned(folder), "results": _results(folder)},
    "OSSPlanUploadOperator": lambda folder: {"key": "a", "source": folder / "tree" / "large"},
    "OSSSendPartsOperator": lambda folder: {
        "source": folder / "tree" / "large",
        "upload": _planned(folder),
        "parts": "1-3",
    },
    "HttpToOSSOperator": lambda _: {"key": "a", "endpoint": "/data"},
    "ObjectStorageToOSSOperator": lambda folder: {"key": "a", "source": f"file://{folder}/tree/large"},
    "SQLFinishExportOperator": lambda _: {"key": "a", "shards": [EXPORTED["shard"]], "results": [EXPORTED]},
    "SQLPlanExportOperator": lambda _: {"conn_id": "lite", "bounds": "SELECT 1, 2"},
    "SQLToOSSOperator": lambda _: {"key": "a", "conn_id": "lite", "sql": "SELECT 1"},
}
"""What each is made of; files are those of ``make_files``."""

_KEEPS_A_CHECKPOINT: Final = "resumable_arguments"


def make_files(folder: Path) -> None:
    """Write what the operators read."""
    tree = folder / "tree"
    tree.mkdir()
    (tree / "large").write_bytes(bytes(20 * MIB))
    for number in range(8):
        (tree / f"small-{number}").write_bytes(bytes(10 * KIB))
        (tree / f"medium-{number}").write_bytes(bytes(8 * MIB))


def make_execution(name: str, folder: Path) -> tuple[Callable[[], Any], Callable[[], None]]:
    """Return what executes an instance of the operator, as a task runner does, and its ``on_kill``."""
    kind = operators()[name]
    arguments = {"task_id": "task", **ARGUMENTS[name](folder)}
    if hasattr(kind, _KEEPS_A_CHECKPOINT):
        arguments["checkpoint"] = "task_state"
    with DAG("leaving", schedule=None):
        task = kind(**arguments)
    state = StateFile(folder / "state.json")
    ti = SimpleNamespace(
        dag_id="leaving", run_id="manual", task_id="task", map_index=-1, try_number=1, xcom_push=lambda **_: None
    )
    context: Any = {"ti": ti, "task": task, "run_id": "manual", "params": {}, **store_context(state)}

    def execute() -> None:
        with airflow_edges(state), patch.object(type(task), "log"):
            task.render_template_fields(context)
            task.execute(context)

    return execute, task.on_kill
