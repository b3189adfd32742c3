"""What a query returns, stored in OSS."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_oss.operators.base import failing_at_once, folder_of, whole_number
from airflow_provider_oss.operators.resumable import OSSResumableBaseOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_oss.operators.lineage import TaskLineage
    from airflow_provider_oss.options import ObjectOptionArguments
    from airflow_provider_oss.transfers.export import ExportResult, Wanted
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

    :param sql: one query; or the path of a file that ends in ``.sql``. Templated.
    :param conn_id: the Airflow connection of the database. Templated.
    :param parameters: a list or mapping for the query's placeholders, in the driver's style. Never logged. Templated.
    :param key: object name. Of pieces: ``{index}`` in it is replaced by a number from 00000 on; without it the number
        is put before the suffix (``a/b.csv.gz``: ``a/b-00000.csv.gz``). Templated.
    :param file_format: ``csv``, ``jsonl`` or ``parquet`` (extra ``parquet`` of the package). Templated.
    :param csv_options: header (True), delimiter (","), quotechar ('"'), quoting ("minimal" or "all"), line_ending
        ("\n"), null_marker (""). Templated.
    :param columns: the columns to export, in this order; None for all. Templated.
    :param exclude: columns that are not exported. A name that the result does not have is an error. Templated.
    :param compression: None, ``gzip`` or ``zstd`` (extra ``zstd``) for the whole file; in parquet for its pages, where
        None means snappy. A key that ends in ``.gz`` or ``.zst`` names a compressed file; with any other, the object
        gets the Content-Encoding, and HTTP clients decompress it. Templated.
    :param split_rows: rows in a piece; only the last may have fewer. Templated.
    :param split_bytes: bytes of a piece as it is stored: the batch of rows (in parquet the row group) that reaches it
        is the piece's last. Templated.
    :param manifest: the key of the manifest; None: beside the pieces (``a/b-manifest.json``), and none for an export
        that is not split. Templated.
    :param skip_empty: when the query has no rows, store no object (a manifest is stored all the same). Else there is
        one object: csv with its header, jsonl with nothing, parquet with its columns.
    :param batch_rows: rows that are fetched at once, and that are in memory: fewer when rows are large. Templated.
    """

    template_fields: Sequence[str] = (
        *OSSResumableBaseOperator.template_fields, "sql", "conn_id", "parameters", "file_format", "csv_options",
        "columns", "exclude", "compression", "split_rows", "split_bytes", "manifest", "batch_rows",
    )  # fmt: skip
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **OSSResumableBaseOperator.template_fields_renderers, "sql": "sql", "parameters": "json", "csv_options": "json",
    }  # fmt: skip

    def __init__(  # noqa: PLR0913 - one argument for each thing a user may want otherwise
        self,
        *,
        sql: str,
        conn_id: str,
        parameters: Sequence[Any] | Mapping[str, Any] | None = None,
        file_format: str = "csv",
        csv_options: Mapping[str, Any] | None = None,
        columns: Sequence[str] | None = None,
        exclude: Sequence[str] | None = None,
        compression: str | None = None,
        split_rows: int | str | None = None,
        split_bytes: int | str | None = None,
        manifest: str | None = None,
        skip_empty: bool = False,
        batch_rows: int | str = 1000,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sql = sql
        self.conn_id = conn_id
        self.parameters = parameters
        self.file_format = file_format
        self.csv_options = csv_options
        self.columns = columns
        self.exclude = exclude
        self.compression = compression
        self.split_rows = split_rows
        self.split_bytes = split_bytes
        self.manifest = manifest
        self.skip_empty = skip_empty
        self.batch_rows = batch_rows
        self._session: Session | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """Run the query, store its rows and return the result as plain data."""
        with failing_at_once():
            result = self._result = self.upload(context)
        self.log.info(
            "Exported %d rows in %d objects: %d bytes, %d of them sent and %d verified in %.1f s",
            *(result.rows, len(result.objects), result.bytes, result.bytes_sent, result.bytes_verified),
            result.elapsed_seconds,
        )
        return result.as_dict()

    def upload(self, context: Context) -> ExportResult:  # type: ignore[override]  # there may be several objects
        """Export once."""
        from airflow_provider_oss.transfers.export import Export
        from airflow_provider_oss.transfers.query import Session

        wanted = self._wanted()
        self._session = Session(self._connector())
        export = Export(self.hook, self._session, wanted, self._options(wanted), self.resumable_arguments(context))
        return export.run(self.key, self.bucket_name)

    def folder(self) -> str:
        """Return the folder that has all pieces."""
        return folder_of(str(self.key).partition("{index}")[0])

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """Add the query, and the tables it reads."""
        from airflow_provider_oss.transfers.query_lineage import query_lineage

        lineage, query = (
            super().get_openlineage_facets_on_complete(task_instance),
            query_lineage(self.conn_id, self.sql),
        )
        lineage.inputs.extend(query.inputs)
        lineage.run_facets.update(query.run_facets)
        lineage.job_facets.update(query.job_facets)
        return lineage

    def lineage(self, result: ExportResult) -> TaskLineage:
        """Return the objects with their rows and columns, and the manifest."""
        from airflow_provider_oss.operators.lineage import TaskLineage, stored
        from airflow_provider_oss.uri import parse_oss_uri

        pieces = [
            stored(parse_oss_uri(one.uri).bucket, one.key, one.bytes, rows=one.rows, columns=result.columns)
            for one in result.objects
        ]
        manifest = None if result.manifest is None else parse_oss_uri(result.manifest)
        return TaskLineage(outputs=pieces if manifest is None else [*pieces, stored(manifest.bucket, manifest.key)])

    def on_kill(self) -> None:
        """Ask upload and query to stop, without waiting for either."""
        super().on_kill()
        if self._session is not None:
            self._session.interrupt()

    def _wanted(self) -> Wanted:
        """Return what the arguments mean. Raises OSSInvalidArgument, before anything is asked of a server."""
        from airflow_provider_oss.exports.formats import parse_format
        from airflow_provider_oss.exports.pieces import Split
        from airflow_provider_oss.transfers.export import Wanted
        from airflow_provider_oss.transfers.query import DEFAULT_BATCH_ROWS, Query

        batch_rows = whole_number("batch_rows", self.batch_rows)
        return Wanted(
            query=Query(self.sql, self.parameters, DEFAULT_BATCH_ROWS if batch_rows is None else batch_rows),
            form=parse_format(self.file_format, self.compression, self.csv_options),
            split=Split(whole_number("split_rows", self.split_rows), whole_number("split_bytes", self.split_bytes)),
            columns=self.columns,
            exclude=self.exclude,
            manifest=self.manifest,
            skip_empty=self.skip_empty,
        )

    def _connector(self) -> Callable[[], Any]:
        """Return what opens a connection to the database. Raises OSSInvalidArgument when ``conn_id`` is of none."""
        from airflow.providers.common.compat.sdk import BaseHook
        from airflow.providers.common.sql.hooks.sql import DbApiHook

        from airflow_provider_oss.exceptions import OSSInvalidArgument

        hook = BaseHook.get_hook(self.conn_id)
        if not isinstance(hook, DbApiHook):
            raise OSSInvalidArgument(
                f"conn_id={self.conn_id!r} belongs to a {type(hook).__name__}, which runs no SQL: give a connection "
                "whose hook is a DbApiHook"
            )
        connect: Callable[[], Any] = hook.get_conn
        return connect

    def _options(self, wanted: Wanted) -> ObjectOptionArguments:
        """Return how the objects are described: as the user says, else by format and compression."""
        from airflow_provider_oss.options import mapping_of

        options = self.object_options()
        mime, encoding = wanted.form.described_as(self.key)
        headers = dict(mapping_of("headers", self.headers))
        if encoding is not None and "content-encoding" not in map(str.lower, headers):
            headers["Content-Encoding"] = encoding
        return {**options, "mime": self.mime or mime, "headers": headers}
