"""
What a task read and stored, in OpenLineage's terms.

Imported only when Airflow's OpenLineage provider asks an operator. Objects have the namespace ``oss://bucket`` and
their key as name, as ``assets.oss`` has them; files of the worker the namespace ``file``.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from airflow_provider_oss.uri import SCHEME

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

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


def _folder(datasets: list[DatasetFacts]) -> DatasetFacts:
    common = os.path.commonprefix([one.name for one in datasets])  # noqa: RUF071 - a key is no path
    return replace(
        datasets[0],
        name=common.rpartition("/")[0] or "/",
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
