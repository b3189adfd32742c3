"""
The first and the last task of those that export one query together: it is cut into shards; one manifest is made of all.

A shard is the query with parameters of its own: both ends of a range, or what the user gives. Each is an export by
itself, with objects and a manifest of its own. The tasks in between, and ``mapped_export``, which makes all of them,
are in ``transfers.sql_to_oss``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar, Final

from typing_extensions import override

from airflow_provider_oss.limits import MAX_MAPPED_TASKS
from airflow_provider_oss.operators.base import OSSBaseOperator, OSSUploadBaseOperator

if TYPE_CHECKING:
    from typing import Unpack

    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_oss.lineage import TaskLineage
    from airflow_provider_oss.model import ObjectRef, PlainResult
    from airflow_provider_oss.operators import ConnectionKeywords, UploadKeywords
    from airflow_provider_oss.transfers.manifest import ShardResult
    from airflow_provider_oss.transfers.query import Session

_DEFAULT_SHARDS: Final = 8


class SQLPlanExportOperator(OSSBaseOperator):
    """
    Cuts a query into shards, for as many mapped tasks that export one each.

    Either ``bounds`` asks for the least and the greatest value of a column, whole numbers or dates, and the shards are
    closed ranges between them, about equally wide: ``{"first": 1, "last": 1000}``, which the exported query has as
    parameters (``WHERE id BETWEEN %(first)s AND %(last)s``). Or ``shards`` is a list of parameters, one for each. Rows
    that no shard's query returns, such as those without a value in the column, are not exported.

    Returns a list of dicts, for ``SQLToOSSOperator.partial(...).expand(shard=plan.output)``: ``index``, ``parameters``
    and, of a range, ``name``. Dates are ISO 8601 texts. Without rows there is one shard, whose ends are NULL. See
    ``mapped_export`` for all in one call. For the other arguments see OSSBaseOperator.

    :param conn_id: the Airflow connection of the database. Templated.
    :param bounds: one query that returns one row of two values, such as ``SELECT min(id), max(id) FROM orders``; or the
        path of a file that ends in ``.sql``. Templated.
    :param parameters: for the placeholders of ``bounds``. Never logged. Templated.
    :param shards: how many, if there are as many values; or a list of mappings, or of lists, of parameters. Templated.
    :param max_shards: the task fails for more: Airflow maps a task over at most ``[core] max_map_length`` things, 1,024
        unless it was set. Templated.
    """

    template_fields: Sequence[str] = (
        *OSSBaseOperator.template_fields, "conn_id", "bounds", "parameters", "shards", "max_shards",
    )  # fmt: skip
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers: ClassVar[dict[str, str]] = {"bounds": "sql", "parameters": "json"}
    verbatim_fields: ClassVar[Sequence[str]] = ("parameters", "shards")
    exclusive: ClassVar[Sequence[str]] = ("bounds", "shards")

    conn_id: str
    bounds: str | None
    parameters: Sequence[Any] | Mapping[str, Any] | None
    shards: int | str | Sequence[Any]
    max_shards: int | str
    _session: Session | None = None

    def __init__(
        self,
        *,
        conn_id: str | XComArg,
        bounds: str | XComArg | None = None,
        parameters: Sequence[Any] | Mapping[str, Any] | XComArg | None = None,
        shards: int | str | Sequence[Any] | XComArg = _DEFAULT_SHARDS,
        max_shards: int | str | XComArg = MAX_MAPPED_TASKS,
        **kwargs: Unpack[ConnectionKeywords],
    ) -> None:
        super().__init__(**kwargs)
        self._keep(
            conn_id=conn_id,
            bounds=bounds,
            parameters=parameters,
            shards=list(shards) if isinstance(shards, Iterator) else shards,
            max_shards=max_shards,
        )

    @override
    def contradiction(self) -> str | None:
        is_list = not isinstance(self.shards, int | str)
        if is_list == (self.bounds is None):
            return None
        if is_list:
            return "shards is a list of parameters: leave bounds out"
        return f"shards={self.shards!r} is no list of parameters: give bounds, a query for the ends of the ranges"

    @override
    def work(self, context: Context) -> PlainResult:
        from airflow_provider_oss.exports.shards import between, numbered
        from airflow_provider_oss.model import PlainResult
        from airflow_provider_oss.quantities import whole_number

        if not self.do_xcom_push:
            raise _refused("do_xcom_push=False: the tasks that export learn by XCom what to export")
        if isinstance(self.shards, int | str):
            shards = between(*self._asked(), whole_number("shards", self.shards, _DEFAULT_SHARDS))
        else:
            shards = numbered(self.shards[:])
        most = whole_number("max_shards", self.max_shards, MAX_MAPPED_TASKS)
        if not 1 <= len(shards) <= most:
            raise _refused(f"there are {len(shards)} shards, and must be 1 to {most}: see shards and max_shards")
        return PlainResult(shards, f"{self.conn_id}: the query is cut into {len(shards)} shards")

    def _asked(self) -> tuple[Any, Any]:
        """Return what ``bounds`` returns."""
        from airflow_provider_oss.exceptions import OSSInvalidArgument
        from airflow_provider_oss.transfers.cursors import Query
        from airflow_provider_oss.transfers.query import session_of

        self._session = session_of(self.conn_id)
        try:
            with self._session.read(Query(str(self.bounds), self.parameters)) as result:
                rows = [tuple(row) for row in islice(result.rows, 2)]
        except OSSInvalidArgument as error:
            raise _refused(f"bounds: {error}") from error
        except Exception:
            self._cancellation.check()  # an interrupted query is a cancelled task
            raise
        if len(rows) != 1 or len(rows[0]) != 2:  # noqa: PLR2004 - the least and the greatest
            raise _refused("bounds must return one row of two values, such as SELECT min(id), max(id) FROM ...")
        least, most = rows[0]
        return least, most

    def on_kill(self) -> None:
        """Ask the query to stop, without waiting for it."""
        try:
            super().on_kill()
        finally:
            if self._session is not None:
                self._session.interrupt()


class SQLFinishExportOperator(OSSUploadBaseOperator):
    """
    Makes one manifest of those of all shards of an export, when every shard has been exported.

    Each shard's manifest is read and compared with what its task returned. A shard without a result, as after *mark
    success*, one whose manifest is another by now, and shards whose columns differ, fail the task for good: the error
    says which to clear. Nothing else is read or changed; the manifests of the shards stay, for a task that is cleared.

    Returns a dict: ``rows``, ``bytes``, ``objects`` (their number), ``manifest``, ``manifest_crc64``, ``bytes_sent``,
    ``bytes_verified``, ``resumed`` and ``elapsed_seconds`` of all tasks together. Give ``key``, ``bucket_name``, and
    what is stored with the objects, as to the tasks that exported. For the other arguments see OSSUploadBaseOperator.

    :param shards: what SQLPlanExportOperator returned: ``plan.output``. Templated.
    :param results: what the mapped SQLToOSSOperator returned: ``send.output``. Templated.
    :param manifest: the key of the manifest; None: as of SQLToOSSOperator. Templated.
    """

    template_fields: Sequence[str] = (*OSSUploadBaseOperator.template_fields, "shards", "results", "manifest")
    verbatim_fields: ClassVar[Sequence[str]] = ("shards", "results")

    shards: Sequence[Mapping[str, Any]]
    results: Sequence[Mapping[str, Any] | None]
    manifest: str | None

    def __init__(
        self,
        *,
        shards: Sequence[Mapping[str, Any]] | XComArg,
        results: Sequence[Mapping[str, Any] | None] | XComArg,
        manifest: str | XComArg | None = None,
        **kwargs: Unpack[UploadKeywords],
    ) -> None:
        super().__init__(**kwargs)
        self._keep(shards=shards, results=results, manifest=manifest)

    @override
    def work(self, context: Context) -> ShardResult:
        from airflow_provider_oss.transfers.manifest import ShardResult, combined_text, store_manifest

        ref = self.hook.resolve(self.key, self.bucket_name, storing=True)
        results = self._results_of(self.shards[:])  # at once: to go through what Airflow gives asks it for each
        manifests = [self._read(ref, index, result) for index, result in enumerate(results)]
        target = self._target(ref, manifests, [each.manifest for each in results])
        stored = store_manifest(self.hook, target, combined_text(manifests), self.object_options())
        return ShardResult(
            rows=sum(each.rows for each in results),
            bytes=sum(each.bytes for each in results),
            objects=sum(each.objects for each in results),
            manifest=target.uri,
            manifest_crc64=stored.crc64,
            bytes_sent=sum(each.bytes_sent for each in results),
            bytes_verified=sum(each.bytes_verified for each in results),
            resumed=any(each.resumed for each in results),
            elapsed_seconds=sum(each.elapsed_seconds for each in results),
        )

    def _results_of(self, shards: Sequence[Mapping[str, Any]]) -> list[ShardResult]:
        """Return the result of each shard. Raises OSSInvalidArgument when one is missing, or is of another plan."""
        from airflow_provider_oss.transfers.manifest import ShardResult

        if not shards:
            raise _refused("shards is empty: give what SQLPlanExportOperator returned, plan.output")
        found = [each for each in self.results[:] if isinstance(each, Mapping)]
        by_index = {each["shard"].get("index"): each for each in found if isinstance(each.get("shard"), Mapping)}
        for index, shard in enumerate(shards):
            if index not in by_index or by_index[index]["shard"] != shard:
                raise _refused(
                    f"shard {index} has no result: its task was marked as success, or ran with another plan; clear the "
                    f"task with map index {index}, and this one after it"
                )
        return [ShardResult.parse(by_index[index]) for index in range(len(shards))]

    def _read(self, ref: ObjectRef, index: int, result: ShardResult) -> Mapping[str, Any]:
        """Return the manifest of a shard. Raises OSSInvalidArgument when it is not the one that its task has stored."""
        import json

        from airflow_provider_oss.exceptions import OSSNoSuchKey
        from airflow_provider_oss.exports.formats import shard_manifest_key, sharded_key
        from airflow_provider_oss.proof import is_written_crc64

        uri = result.manifest
        own = shard_manifest_key(sharded_key(ref.key, index, is_split=False))
        if uri != f"oss://{ref.bucket}/{own}":
            raise _refused(
                f"shard {index} was exported with the manifest {uri}, and key={self.key!r} means another: give "
                "the key and bucket_name of the tasks that exported"
            )
        try:
            data = self.hook.read_object(uri)
        except OSSNoSuchKey:
            data = b""
        if not is_written_crc64(result.manifest_crc64, data):
            raise _refused(
                f"{uri} is not what shard {index} has stored: another run exports to the same key, or it was deleted; "
                f"clear the task with map index {index}, and this one after it"
            )
        manifest: Mapping[str, Any] = json.loads(data)
        return manifest

    def _target(self, ref: ObjectRef, manifests: Sequence[Mapping[str, Any]], taken: Sequence[str]) -> ObjectRef:
        """Return where the manifest goes. Raises OSSInvalidArgument for a place that is taken."""
        from airflow_provider_oss.exports.formats import manifest_key
        from airflow_provider_oss.exports.partitions import partitioned_key
        from airflow_provider_oss.model import ObjectRef
        from airflow_provider_oss.uri import SCHEME

        if self.manifest is None:
            is_partitioned = any(each["partition_by"] for each in manifests)
            return ObjectRef(ref.bucket, manifest_key(partitioned_key(ref.key) if is_partitioned else ref.key))
        is_whole = self.manifest.startswith(SCHEME)
        target = self.hook.resolve(self.manifest, None if is_whole else ref.bucket, storing=True)
        if target.uri in {*taken, *(piece["uri"] for each in manifests for piece in each["pieces"])}:
            raise _refused(f"manifest={self.manifest!r} is the key of what a shard has stored: give it another one")
        return target

    @override
    def folder(self) -> str:
        from airflow_provider_oss.exports.formats import folder_of_objects

        return folder_of_objects(str(self.key))

    @override
    def lineage(self, result: ShardResult) -> TaskLineage:
        """Return the folder of the objects, and the manifest; what was read is said by the tasks that exported."""
        from airflow_provider_oss.exports.formats import folder_of_objects
        from airflow_provider_oss.lineage import TaskLineage, stored
        from airflow_provider_oss.uri import parse_oss_uri

        manifest, ref = parse_oss_uri(result.manifest), self.hook.resolve(self.key, self.bucket_name)
        objects = stored(ref.bucket, folder_of_objects(ref.key), result.bytes, rows=result.rows, files=result.objects)
        return TaskLineage(outputs=[objects, stored(manifest.bucket, manifest.key)])


def _refused(text: str) -> Exception:
    from airflow_provider_oss.exceptions import OSSInvalidArgument

    return OSSInvalidArgument(text)
