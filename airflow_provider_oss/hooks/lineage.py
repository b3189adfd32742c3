"""
What the hook read and wrote, told to Airflow's hook lineage collector.

Told after it succeeded. Parts, listings and HEADs are no lineage, nor are deletions.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from airflow.providers.common.compat.lineage.hook import get_hook_lineage_collector

from airflow_provider_oss.model import ObjectPrefix, ObjectRef, UploadResult

if TYPE_CHECKING:
    from airflow_provider_oss.hooks.base import OSSBaseHook
    from airflow_provider_oss.transfer.many_files import FileOutcome
    from airflow_provider_oss.transfer.tree.result import TreeResult

Location: TypeAlias = ObjectRef | ObjectPrefix | str | os.PathLike[str]
"""An object, all below a prefix, or a file or directory of this worker."""

_MOST_FILES: Final = 100


def report(hook: OSSBaseHook, *, read: Location | None = None, written: Location | None = None) -> None:
    """Tell what was read and what was written, if anybody wants to know."""
    if not is_wanted():
        return
    collector = get_hook_lineage_collector()  # type: ignore[no-untyped-call]  # of Airflow
    if read is not None:
        collector.add_input_asset(hook, **_asset(read))
    if written is not None:
        collector.add_output_asset(hook, **_asset(written))


def report_upload(
    hook: OSSBaseHook, result: UploadResult, file_path: str | os.PathLike[str] | None = None
) -> UploadResult:
    """Tell of an upload, of ``file_path`` if it was one of a file; return its result."""
    report(hook, read=file_path, written=ObjectRef(result.bucket, result.key))
    return result


def report_uploads(hook: OSSBaseHook, outcomes: Generator[FileOutcome, None, None]) -> Iterator[FileOutcome]:
    """Pass the outcomes on; tell of the first 100 uploads among them, which is what a collector of Airflow 3 takes."""
    return _reported(hook, outcomes) if is_wanted() else outcomes


def _reported(hook: OSSBaseHook, outcomes: Generator[FileOutcome, None, None]) -> Iterator[FileOutcome]:
    left = _MOST_FILES
    with closing(outcomes):
        for outcome in outcomes:
            if left and outcome.result is not None:
                report_upload(hook, outcome.result, outcome.file.path)
                left -= 1
            yield outcome


def report_tree(hook: OSSBaseHook, result: TreeResult) -> TreeResult:
    """Tell that a directory is below a prefix now, whatever its files are, unless none is there; return the result."""
    if not result.dry_run and (result.sent.count or result.skipped.count):
        report(hook, read=result.directory, written=ObjectPrefix(result.bucket, result.prefix))
    return result


def is_wanted() -> bool:
    """
    Whether this is a task's process and a plugin reads lineage there.

    Asked before there is a collector: to make one, even one that does nothing, Airflow imports the asset handlers of
    all providers, which takes up to seconds. Elsewhere than in a task, where plugins are loaded already and lineage
    belongs to a run, looking for readers would itself take 0.4 s.
    """
    if "AIRFLOW_CTX_TASK_ID" not in os.environ:
        return False
    try:
        plugins: Any = import_module("airflow.sdk.plugins_manager")
    except ImportError:  # before Airflow 3.2
        plugins = import_module("airflow.plugins_manager")
        plugins.initialize_hook_lineage_readers_plugins()
        return bool(plugins.hook_lineage_reader_classes)
    return bool(plugins.get_hook_lineage_readers_plugins())


def _asset(location: Location) -> dict[str, Any]:
    """Return the collector's arguments. It makes the asset itself, and takes no harm when that cannot be."""
    if isinstance(location, ObjectRef):
        return {"scheme": "oss", "asset_kwargs": {"bucket": location.bucket, "key": location.key}}
    if isinstance(location, ObjectPrefix):
        return {"scheme": "oss", "asset_kwargs": {"bucket": location.bucket, "key": location.prefix}}
    return {"scheme": "file", "asset_kwargs": {"path": Path(location).absolute().as_uri()}}
