"""What a query returns, stored in OSS, by one task or by many."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from airflow_provider_oss.limits import MAX_MAPPED_TASKS
from airflow_provider_oss.operators.resumable import OSSResumableBaseOperator

if TYPE_CHECKING:
    from typing import Unpack

    from airflow.providers.common.compat.sdk import Context, TaskGroup, XComArg

    from airflow_provider_oss.lineage import TaskLineage
    from airflow_provider_oss.operators import MappedExportOptions, ResumableKeywords
    from airflow_provider_oss.options import ObjectOptionArguments
    from airflow_provider_oss.transfers.export import ExportResult, Wanted
    from airflow_provider_oss.transfers.manifest import ShardResult
    from airflow_provider_oss.transfers.query import Session


class SQLToOSSOperator(OSSResumableBaseOperator):
    r"""
    Stores what a query returns as csv, jsonl or parquet, in constant memory; a retried task sends only what is missing.

    Any Airflow connection whose hook is a DbApiHook will do. The rows are read by a server-side cursor (PostgreSQL,
    MySQL) or in batches, in a read-only transaction that ends with the attempt. A retry runs the query again and
    compares: what OSS holds already with the same bytes is not sent again. So the query should have an ORDER BY:
    without one the database may give another order, and then everything is sent again (but never mixed).

    Without ``split_rows`` and ``split_bytes`` the rows are streamed into one object. With one of them they become
    numbered objects, each written to a temporary file first (in the folder that TMPDIR names), and at the end a
    manifest that lists them. **The manifest is the truth**: pieces of an earlier, longer export may lie behind the last
    one, and are neither listed in it nor deleted. Give the key a folder for each run, or read what the manifest says.

    Returns ``rows, bytes, objects, columns, manifest, bytes_sent, bytes_verified, resumed, elapsed_seconds``; each of
    the objects has ``key, uri, rows, bytes, etag, crc64``. For the other arguments see OSSResumableBaseOperator.

    :param sql: one query, which a semicolon may end; or the path of a file that ends in ``.sql``. Templated.
    :param conn_id: the Airflow connection of the database. Templated.
    :param parameters: a list or mapping for the query's placeholders, in the driver's style. Never logged. Templated.
    :param key: object name. Of pieces: ``{index}`` in it is replaced by a number from 00000 on; without it the number
        is put before the suffix (``a/b.csv.gz``: ``a/b-00000.csv.gz``). Templated.
    :param file_format: ``csv``, ``jsonl`` or ``parquet`` (extra ``parquet`` of the package). Parquet of a database that
        declares no types (docs/sql.md) begins when all rows were read: until then they are in a temporary file.
        Templated.
    :param csv_options: header (True), delimiter (","), quotechar ('"'), quoting ("minimal" or "all"), line_ending
        ("\n"), null_marker (""). Each may be a template, which makes a text with native rendering, too: ``False``,
        ``\t``, ``\n`` and ``\r\n`` in it mean what they say.
    :param columns: the columns to export, in this order; None for all. Templated.
    :param exclude: columns that are not exported. A name that the result does not have is an error. Templated.
    :param compression: None, ``gzip`` or ``zstd`` (extra ``zstd``) for the whole file; in parquet for its pages, where
        None means snappy. A key that ends in ``.gz`` or ``.zst`` names a compressed file; with any other, the object
        gets the Content-Encoding, and HTTP clients decompress it. Templated.
    :param split_rows: rows in a piece; only the last may have fewer. Templated.
    :param split_bytes: bytes of a piece as it is stored: the batch of rows (in parquet the row group) that reaches it
        is the piece's last. Templated.
    :param partition_by: columns: the rows of each value (of several: of each combination) become an object of their
        own, or numbered ones, in Hive's layout: ``a/b.csv`` by day is ``a/day=2026-01-01/b.csv``. ``{partition}`` in
        the key says where else the folders go. Templated.
    :param keep_partition_columns: leave these columns in the files; else they are in the names of the folders alone.
    :param max_open_partitions: so many partitions wait for more rows, each in a temporary file; of one whose file was
        ended for another's no row may follow. 1: rows come by partition, and need no such file. Templated.
    :param manifest: the key of the manifest; None: beside the pieces (``a/b-manifest.json``; of partitions above them:
        ``a/_b-manifest.json``), and none for an export that is one object. Templated.
    :param skip_empty: when the query has no rows, store no object (a manifest is stored all the same). Else there is
        one object: csv with its header, jsonl with nothing, parquet with its columns; but none of no partition.
    :param batch_rows: rows that are fetched at once, and that are in memory: fewer when rows are large. Templated.
    :param shard: what SQLPlanExportOperator returned for one of several tasks: the query gets its parameters, too; the
        objects have its number in their names, and a manifest of their own; the task returns numbers, and where that
        is. See ``mapped_export``. Templated.
    """

    template_fields: Sequence[str] = (
        *OSSResumableBaseOperator.template_fields, "sql", "conn_id", "parameters", "file_format", "csv_options",
        "columns", "exclude", "compression", "split_rows", "split_bytes", "partition_by", "max_open_partitions",
        "manifest", "batch_rows", "shard",
    )  # fmt: skip
    template_ext: Sequence[str] = (".sql",)
    verbatim_fields: ClassVar[Sequence[str]] = ("parameters", "csv_options", "shard")
    text_fields: ClassVar[Sequence[str]] = ("csv_options",)
    exclusive: ClassVar[Sequence[str]] = ("shard", "manifest")
    transfer_kind = "export"
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **OSSResumableBaseOperator.template_fields_renderers, "sql": "sql", "parameters": "json", "csv_options": "json",
    }  # fmt: skip

    sql: str
    conn_id: str
    parameters: Sequence[Any] | Mapping[str, Any] | None
    file_format: str
    csv_options: Mapping[str, Any] | None
    columns: Sequence[str] | None
    exclude: Sequence[str] | None
    compression: str | None
    split_rows: int | str | None
    split_bytes: int | str | None
    partition_by: Sequence[str] | None
    keep_partition_columns: bool
    max_open_partitions: int | str | None
    manifest: str | None
    skip_empty: bool
    batch_rows: int | str | None
    shard: Mapping[str, Any] | None
    _session: Session | None = None

    def __init__(  # noqa: PLR0913 - one argument for each thing a user may want otherwise
        self,
        *,
        sql: str | XComArg,
        conn_id: str | XComArg,
        parameters: Sequence[Any] | Mapping[str, Any] | XComArg | None = None,
        file_format: str | XComArg = "csv",
        csv_options: Mapping[str, Any] | XComArg | None = None,
        columns: Sequence[str | XComArg] | XComArg | None = None,
        exclude: Sequence[str | XComArg] | XComArg | None = None,
        compression: str | XComArg | None = None,
        split_rows: int | str | XComArg | None = None,
        split_bytes: int | str | XComArg | None = None,
        partition_by: Sequence[str | XComArg] | XComArg | None = None,
        keep_partition_columns: bool = False,
        max_open_partitions: int | str | XComArg | None = 100,
        manifest: str | XComArg | None = None,
        skip_empty: bool = False,
        batch_rows: int | str | XComArg | None = 1000,
        shard: Mapping[str, Any] | XComArg | None = None,
        **kwargs: Unpack[ResumableKeywords],
    ) -> None:
        super().__init__(**kwargs)
        self._keep(
            sql=sql,
            conn_id=conn_id,
            parameters=_kept(parameters),
            file_format=file_format,
            csv_options=csv_options,
            columns=_kept(columns),
            exclude=_kept(exclude),
            compression=compression,
            split_rows=split_rows,
            split_bytes=split_bytes,
            partition_by=_kept(partition_by),
            keep_partition_columns=keep_partition_columns,
            max_open_partitions=max_open_partitions,
            manifest=manifest,
            skip_empty=skip_empty,
            batch_rows=batch_rows,
            shard=shard,
        )

    @override
    def contradiction(self) -> str | None:
        if self.shard is None or self.manifest is None:
            return None
        return "manifest with a shard: that of a shard has a name of its own; give manifest to SQLFinishExportOperator"

    @property
    def shard_name(self) -> str:
        """What is exported, for people: ``1 to 1000``, ``shard 3``. For ``map_index_template``."""
        if self.shard is None:
            return str(self.key)
        return str(self.shard.get("name") or f"shard {self.shard.get('index')}")

    def check_arguments(self) -> None:
        """Check also that each of several tasks has a place of its own for what is unfinished."""
        from airflow_provider_oss.checkpoint.choice import check_named_store

        super().check_arguments()
        if self.shard is not None:
            check_named_store(self._wanted_store())

    @override
    def work(self, context: Context) -> ExportResult | ShardResult:
        from airflow_provider_oss.transfers.export import Export
        from airflow_provider_oss.transfers.query import session_of

        wanted = self._wanted()
        self._session = session_of(self.conn_id)
        export = Export(self.hook, self._session, wanted, self._options(wanted), self.resumable_arguments(context))
        result = export.run(self.key, self.bucket_name)
        return result if self.shard is None else result.of_shard(self.shard)

    @override
    def folder(self) -> str:
        from airflow_provider_oss.exports.formats import folder_of_objects

        return folder_of_objects(str(self.key))

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """Add the query, and the tables it reads."""
        from airflow_provider_oss.lineage import query_lineage

        lineage, query = (
            super().get_openlineage_facets_on_complete(task_instance),
            query_lineage(self.conn_id, self.sql),
        )
        lineage.inputs.extend(query.inputs)
        lineage.run_facets.update(query.run_facets)
        lineage.job_facets.update(query.job_facets)
        return lineage

    def lineage(self, result: ExportResult | ShardResult) -> TaskLineage:
        """Return the objects with their rows and columns, and the manifest; of a shard its last task says that."""
        from airflow_provider_oss.lineage import TaskLineage, stored
        from airflow_provider_oss.transfers.manifest import ShardResult
        from airflow_provider_oss.uri import parse_oss_uri

        if isinstance(result, ShardResult):
            return TaskLineage()
        pieces = [
            stored(
                parse_oss_uri(one.uri).bucket, one.key, one.bytes, rows=one.rows, etag=one.etag, columns=result.columns
            )
            for one in result.objects
        ]
        manifest = None if result.manifest is None else parse_oss_uri(result.manifest)
        return TaskLineage(outputs=pieces if manifest is None else [*pieces, stored(manifest.bucket, manifest.key)])

    def on_kill(self) -> None:
        """Ask upload and query to stop, without waiting for either."""
        try:
            super().on_kill()  # first: the error of a query that was interrupted is looked at by what it set
        finally:  # it may raise
            if self._session is not None:
                self._session.interrupt()

    def _wanted(self) -> Wanted:
        """Return what the arguments mean. Raises OSSInvalidArgument, before anything is asked of a server."""
        from airflow_provider_oss.exports.formats import Split, parse_format
        from airflow_provider_oss.exports.shards import QueryShard
        from airflow_provider_oss.quantities import size_in_bytes, whole_number
        from airflow_provider_oss.transfers.cursors import DEFAULT_BATCH_ROWS, Query
        from airflow_provider_oss.transfers.export import Wanted
        from airflow_provider_oss.transfers.spool import DEFAULT_OPEN_PARTITIONS

        shard = None if self.shard is None else QueryShard.parse(self.shard)
        parameters = self.parameters if shard is None else shard.added_to(self.parameters)
        return Wanted(
            query=Query(self.sql, parameters, whole_number("batch_rows", self.batch_rows, DEFAULT_BATCH_ROWS)),
            form=parse_format(self.file_format, self.compression, self.csv_options),
            split=Split(whole_number("split_rows", self.split_rows), size_in_bytes("split_bytes", self.split_bytes)),
            columns=self.columns,
            exclude=self.exclude,
            manifest=self.manifest,
            skip_empty=self.skip_empty,
            partition_by=tuple(self.partition_by or ()),
            keep_partition_columns=self.keep_partition_columns,
            max_open_partitions=whole_number("max_open_partitions", self.max_open_partitions, DEFAULT_OPEN_PARTITIONS),
            shard=shard,
        )

    def _options(self, wanted: Wanted) -> ObjectOptionArguments:
        """Return how the objects are described: as the user says, else by format and compression."""
        return self.object_options(*wanted.form.described_as(self.key))


def mapped_export(
    group_id: str,
    *,
    sql: str | XComArg,
    conn_id: str | XComArg,
    key: str | XComArg,
    bounds: str | XComArg | None = None,
    shards: int | str | Sequence[Any] | XComArg = 8,
    max_shards: int | str | XComArg = MAX_MAPPED_TASKS,
    manifest: str | XComArg | None = None,
    **arguments: Unpack[MappedExportOptions],
) -> TaskGroup:
    """
    Make a task group that exports one query by many tasks: ``plan`` cuts it, ``send`` is mapped, ``finish`` ends it.

    A task that fails is retried, or cleared, by itself, and sends what OSS does not hold of its shard. What the shards
    see of a table that changes meanwhile is up to the query: ``updated_at < '{{ data_interval_end }}'`` makes it one
    state. ``finish`` returns the sums, and stores the one manifest over all. Must be called in a DAG.

    Arguments of Airflow (``retries``, ``pool``, ``queue``, ...) hold for all three, but ``inlets`` and ``trigger_rule``
    for ``plan`` alone, ``outlets`` and ``on_success_callback`` for ``finish`` alone, and what is said of mapped tasks
    (``map_index_template``, ``max_active_tis_per_dagrun``) for ``send`` alone.

    :param group_id: name of the group: its tasks are ``group_id.plan`` and so on.
    :param sql: the query, with placeholders for the parameters of a shard: ``first`` and ``last`` of a range.
    :param conn_id: see SQLToOSSOperator, as for ``key`` and all other arguments.
    :param key: of the objects; the number of the shard is put where that of a piece goes.
    :param bounds: a query for the least and the greatest value of the column that is cut; see SQLPlanExportOperator.
    :param shards: how many ranges, or a list of parameters.
    :param max_shards: at most ``[core] max_map_length``.
    :param manifest: key of the one over all.
    """
    from airflow.providers.common.compat.sdk import TaskGroup

    from airflow_provider_oss.operators.groups import Kinds, handed_out
    from airflow_provider_oss.transfers.sql_shards import SQLFinishExportOperator, SQLPlanExportOperator

    given: dict[str, Any] = {
        "map_index_template": "{{ task.shard_name }}",
        **arguments,
        "sql": sql,
        "conn_id": conn_id,
        "key": key,
        "bounds": bounds,
        "shards": shards,
        "max_shards": max_shards,
        "manifest": manifest,
    }
    kinds = Kinds(SQLPlanExportOperator, SQLToOSSOperator, SQLFinishExportOperator)
    to_plan, to_send, to_finish = handed_out(kinds, given)
    to_send.pop("manifest")  # which the last task stores
    with TaskGroup(group_id) as group:
        plan = SQLPlanExportOperator(task_id="plan", **to_plan)
        send = SQLToOSSOperator.partial(task_id="send", **to_send).expand(shard=plan.output)
        to_finish |= {"shards": plan.output, "results": send.output}
        SQLFinishExportOperator(task_id="finish", **to_finish)
    return group


def _kept(value: Any) -> Any:
    """Return a list of what can be gone through only once, such as a generator: a retry needs it, too."""
    return list(value) if isinstance(value, Iterator) else value
