"""
What was read and written, for Airflow's hook lineage collector, its OpenLineage provider and the events of its assets.

The hook reports to the collector what has succeeded: objects and files, not parts, listings or HEADs, nor deletions.
OpenLineage's provider asks an operator, and only then its library is imported. Objects have the namespace
``oss://bucket`` and their key as name, as ``assets.oss`` has them; files of the worker the namespace ``file``. The
tables of a query are those that its text names; the database is asked for at most the name of the default schema (as
some hooks do).
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from importlib import import_module
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import unquote

from airflow.providers.common.compat.lineage.hook import get_hook_lineage_collector

from airflow_provider_oss.model import ObjectPrefix, ObjectRef, UploadResult
from airflow_provider_oss.shown import Log
from airflow_provider_oss.uri import SCHEME

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseHook
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_oss.engine.many_files import FileOutcome
    from airflow_provider_oss.engine.tree.result import FilesResult, TreeResult


Location: TypeAlias = ObjectRef | ObjectPrefix | str | os.PathLike[str]
"""An object, all below a prefix, or a file or directory of this worker."""

_MOST_FILES: Final = 100


def report(hook: BaseHook, *, read: Location | None = None, written: Location | None = None) -> None:
    """Report what was read and what was written to Airflow's collector, if a plugin reads it."""
    if not is_wanted():
        return
    collector = get_hook_lineage_collector()
    if read is not None:
        collector.add_input_asset(hook, **_asset(read))
    if written is not None:
        collector.add_output_asset(hook, **_asset(written))


def report_upload(
    hook: BaseHook, result: UploadResult, file_path: str | os.PathLike[str] | None = None
) -> UploadResult:
    """Report an upload, of ``file_path`` if it was one of a file; return its result."""
    report(hook, read=file_path, written=ObjectRef(result.bucket, result.key))
    return result


def report_uploads(hook: BaseHook, outcomes: Generator[FileOutcome, None, None]) -> Iterator[FileOutcome]:
    """Pass the outcomes on; report the first 100 uploads among them, which is what a collector of Airflow 3 takes."""
    return _reported(hook, outcomes) if is_wanted() else outcomes


def _reported(hook: BaseHook, outcomes: Generator[FileOutcome, None, None]) -> Iterator[FileOutcome]:
    left = _MOST_FILES
    with closing(outcomes):
        for outcome in outcomes:
            if left and outcome.result is not None:
                report_upload(hook, outcome.result, outcome.file.path)
                left -= 1
            yield outcome


def report_tree(hook: BaseHook, result: TreeResult) -> TreeResult:
    """Report that a directory is below a prefix now, whatever its files are, unless it has none; return the result."""
    if not result.dry_run and (result.sent.count or result.skipped.count):
        report(hook, read=result.directory, written=ObjectPrefix(result.bucket, result.prefix))
    return result


def report_batch(hook: BaseHook, result: FilesResult, paths: Iterable[str]) -> FilesResult:
    """Report that files are below a prefix now, the first 100 by their paths if all of them are; return the result."""
    if not (result.sent.count or result.skipped.count):
        return result
    is_whole = result.sent.count + result.skipped.count == result.files.count
    for path in islice(paths, _MOST_FILES if is_whole else 0):
        report(hook, read=path)
    report(hook, written=ObjectPrefix(result.bucket, result.prefix))
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


_MOST: Final = 100
"""Datasets of a side that are named one by one: as many as Airflow's own collector takes."""

_WEB: Final = ("http", "https")


@dataclass(frozen=True, slots=True)
class DatasetFacts:
    """One dataset: an object, a file, or all below a folder. None is what is not known."""

    namespace: str
    name: str
    size_bytes: int | None = None
    rows: int | None = None
    files: int | None = None
    etag: str | None = None
    columns: Sequence[Mapping[str, str]] = ()
    """Name and type of each."""


@dataclass(frozen=True, slots=True)
class TaskLineage:
    """What a task read and what it stored."""

    inputs: Sequence[DatasetFacts] = ()
    outputs: Sequence[DatasetFacts] = ()


def source(location: str | os.PathLike[str]) -> DatasetFacts:
    """
    Return the dataset that a path of the worker or a URL names.

    Of a URL everything behind the host is the name, unescaped; but of a web address, the path. Users are left out.
    """
    text = os.fspath(location)
    scheme, separator, rest = text.partition("://")
    if not separator:
        return DatasetFacts("file", os.path.abspath(text))  # noqa: PTH100 - a name may be no UTF-8
    if scheme == "file":
        return DatasetFacts("file", unquote(rest))
    host, _, path = rest.partition("/")
    if scheme in _WEB:
        host, path = host.partition("?")[0], path.partition("?")[0].partition("#")[0]
    return DatasetFacts(f"{scheme}://{host.rpartition('@')[2]}", path or "/")


def stored(bucket: str, name: str, size_bytes: int | None = None, **facts: Any) -> DatasetFacts:
    """Return the dataset of an object, or of all below a prefix; for ``facts`` see DatasetFacts."""
    return DatasetFacts(f"{SCHEME}{bucket}", name.rstrip("/") or "/", size_bytes, **facts)


def as_openlineage(lineage: TaskLineage) -> OperatorLineage[Any, Any]:
    """Return what OpenLineage's provider asks for."""
    from airflow.providers.common.compat.openlineage.facet import InputDataset
    from airflow.providers.openlineage.extractors import OperatorLineage

    return OperatorLineage(
        inputs=[InputDataset(namespace=one.namespace, name=one.name) for one in bounded(lineage.inputs)],
        outputs=[_output(one) for one in bounded(lineage.outputs)],
    )


def bounded(datasets: Sequence[DatasetFacts]) -> Sequence[DatasetFacts]:
    """Return the datasets, or when there are more than 100, the folder that has all of a namespace."""
    if len(datasets) <= _MOST:
        return datasets
    in_order = sorted(datasets, key=lambda one: one.namespace)
    return [_folder(list(group)) for _, group in groupby(in_order, key=lambda one: one.namespace)]


def describe_events(events: Any, outlets: Iterable[Any], written: Sequence[DatasetFacts]) -> None:
    """
    Add to the events of the outlets what was stored there: ``key``, ``size``, ``etag`` and ``rows`` of an object.

    Of an outlet that has several objects it is ``files``, and ``size`` and ``rows`` in all. What is not known is left
    out, and what the events have already stays. Outlets where nothing was stored are left alone.

    :param events: Airflow's ``outlet_events``.
    """
    from airflow.providers.common.compat.sdk import Asset

    for outlet in outlets:
        if isinstance(outlet, Asset) and outlet.uri.startswith(SCHEME):
            described = _described([one for one in written if one.size_bytes is not None and _has(outlet, one)])
            if described:
                event = events[outlet]
                event.extra = described | event.extra


def _has(asset: Any, dataset: DatasetFacts) -> bool:
    from airflow_provider_oss.assets.oss import openlineage_name

    namespace, name = openlineage_name(asset)
    return dataset.namespace == namespace and (name in {"/", dataset.name} or dataset.name.startswith(f"{name}/"))


def _described(datasets: Sequence[DatasetFacts]) -> dict[str, Any]:
    if not datasets:
        return {}
    size_bytes, rows = _sum(one.size_bytes for one in datasets), _sum(one.rows for one in datasets)
    if len(datasets) == 1 and datasets[0].files is None:
        found = {"key": datasets[0].name, "size": size_bytes, "etag": datasets[0].etag, "rows": rows}
    else:
        files = sum(1 if one.files is None else one.files for one in datasets)
        found = {"files": files, "size": size_bytes, "rows": rows}
    return {name: value for name, value in found.items() if value is not None}


def _folder(datasets: list[DatasetFacts]) -> DatasetFacts:
    common = os.path.commonprefix([one.name for one in datasets])  # noqa: RUF071 - a key is no path
    return replace(
        datasets[0],
        name=common.rpartition("/")[0] or "/",
        etag=None,
        size_bytes=_sum(one.size_bytes for one in datasets),
        rows=_sum(one.rows for one in datasets),
        files=len(datasets),
    )


def _sum(numbers: Iterable[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None


def _output(one: DatasetFacts) -> Any:
    from airflow.providers.common.compat.openlineage.facet import (
        OutputDataset,
        OutputStatisticsOutputDatasetFacet,
        SchemaDatasetFacet,
        SchemaDatasetFacetFields,
    )

    fields = [SchemaDatasetFacetFields(name=column["name"], type=column["type"]) for column in one.columns]
    statistics = OutputStatisticsOutputDatasetFacet(rowCount=one.rows, size=one.size_bytes, fileCount=one.files)
    return OutputDataset(
        namespace=one.namespace,
        name=one.name,
        facets={"schema": SchemaDatasetFacet(fields=fields)} if fields else {},
        outputFacets={"outputStatistics": statistics},
    )


log = Log(__name__)


def query_lineage(conn_id: str, sql: str) -> OperatorLineage[Any, Any]:
    """Return the query, and the tables it reads where the connection's hook knows how OpenLineage names them."""
    from airflow.providers.common.compat.openlineage.facet import SQLJobFacet
    from airflow.providers.openlineage.extractors import OperatorLineage

    try:
        parsed = _parsed(conn_id, sql)
    except Exception as error:  # noqa: BLE001 - whatever a database's hook raises: what was stored is reported all the same
        log.warning("The tables that sql reads are not reported to OpenLineage: %s: %s", type(error).__name__, error)
        parsed = None
    return parsed or OperatorLineage(job_facets={"sql": SQLJobFacet(query=sql)})


def _parsed(conn_id: str, sql: str) -> OperatorLineage[Any, Any] | None:
    from airflow.providers.common.compat.sdk import BaseHook
    from airflow.providers.openlineage.sqlparser import SQLParser

    hook: Any = BaseHook.get_hook(conn_id)
    connection = hook.get_connection(conn_id)
    database = hook.get_openlineage_database_info(connection)
    if database is None:
        return None
    parser = SQLParser(
        dialect=hook.get_openlineage_database_dialect(connection),
        default_schema=hook.get_openlineage_default_schema(),
    )
    return parser.generate_openlineage_metadata_from_sql(
        sql=sql, hook=hook, database_info=database, use_connection=False
    )
