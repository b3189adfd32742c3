"""
Operators. Here is what their constructors pass on to those of their bases, for type checkers and editors alone.

Airflow reads the constructors: each names the arguments that its class owns. These name them again, with types and
texts; ``tests/signatures`` compares both. ``...Options`` may be left out; ``...Keywords`` are these and what may not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Collection, Mapping, MutableMapping, Sequence
    from datetime import datetime, timedelta
    from typing import Any, TypeAlias, TypedDict

    from airflow.providers.common.compat.sdk import DAG, Context, RetryPolicy, TaskGroup, XComArg
    from airflow.sdk.types import WeightRuleParam  # noqa: TID251 - for types only

    from airflow_provider_oss.ports import CheckpointStore, ProgressCallback

    _Callback: TypeAlias = Callable[[Context], None]

    # What may be left out

    class AirflowOptions(TypedDict, total=False):
        """Arguments of every operator in Airflow 2.11 to 3.3: ``tests/signatures`` says which version lacks which."""

        owner: str
        email: str | Sequence[str] | None
        email_on_retry: bool
        email_on_failure: bool
        retries: int | None
        retry_delay: timedelta | float
        retry_exponential_backoff: float
        max_retry_delay: timedelta | float | None
        retry_policy: RetryPolicy | None
        start_date: datetime | None
        end_date: datetime | None
        depends_on_past: bool
        ignore_first_depends_on_past: bool
        wait_for_past_depends_before_skipping: bool
        wait_for_downstream: bool
        dag: DAG | None
        params: MutableMapping[str, Any] | None
        default_args: dict[str, Any] | None
        priority_weight: int
        weight_rule: WeightRuleParam
        queue: str
        pool: str | None
        pool_slots: int
        sla: timedelta | None
        execution_timeout: timedelta | None
        on_execute_callback: _Callback | Collection[_Callback] | None
        on_failure_callback: _Callback | list[_Callback] | None
        on_success_callback: _Callback | Collection[_Callback] | None
        on_retry_callback: _Callback | list[_Callback] | None
        on_skipped_callback: _Callback | Collection[_Callback] | None
        pre_execute: _Callback | None
        post_execute: Callable[[Context, Any], None] | None
        trigger_rule: str
        resources: dict[str, Any] | None
        run_as_user: str | None
        task_concurrency: int | None
        map_index_template: str | None
        max_active_tis_per_dag: int | None
        max_active_tis_per_dagrun: int | None
        executor: str | None
        executor_config: dict[str, Any] | None
        do_xcom_push: bool
        multiple_outputs: bool
        inlets: Any | None
        outlets: Any | None
        task_group: TaskGroup | None
        doc: str | None
        doc_md: str | None
        doc_json: str | None
        doc_yaml: str | None
        doc_rst: str | None
        task_display_name: str | None
        logger_name: str | None
        allow_nested_operators: bool
        render_template_as_native_obj: bool | None

    class AirflowSensorOptions(AirflowOptions, total=False):
        """Arguments of every sensor in Airflow."""

        poke_interval: timedelta | float
        timeout: timedelta | float | None
        soft_fail: bool
        mode: str
        exponential_backoff: bool
        max_wait: timedelta | float | None
        silent_fail: bool
        never_fail: bool

    class ConnectionOptions(AirflowOptions, total=False):
        """Arguments of OSSBaseOperator."""

        oss_conn_id: str | XComArg
        """id of the Airflow connection. Templated."""
        region: str | XComArg | None
        """goes before the connection's region. Templated."""

    class SensorOptions(AirflowSensorOptions, ConnectionOptions, total=False):
        """Arguments of OSSBaseSensor."""

        deferrable: bool | None
        """wait in the triggerer, which takes no worker slot; None for Airflow's ``[operators] default_deferrable``."""

    class ObjectTagsOptions(ConnectionOptions, total=False):
        """Arguments of OSSObjectTagsBaseOperator."""

        bucket_name: str | XComArg | None
        """bucket; None for the connection's schema. Templated."""

    class UploadOptions(ConnectionOptions, total=False):
        """Arguments of OSSUploadBaseOperator."""

        bucket_name: str | XComArg | None
        """bucket; None for the connection's schema."""
        mime: str | XComArg | None
        """Content-Type; None guesses it from the key's ending."""
        meta: Mapping[str, str | float | bool | XComArg] | XComArg | None
        """user metadata, stored as x-oss-meta-*."""
        headers: Mapping[str, str | float | bool | XComArg] | XComArg | None
        """other headers stored with the object: Cache-Control, Content-Disposition, Content-Encoding, ..."""
        acl: str | XComArg | None
        """default, private, public-read or public-read-write."""
        storage_class: str | XComArg | None
        """Standard, IA, Archive, ColdArchive or DeepColdArchive."""
        tags: Mapping[str, str | float | bool | XComArg] | XComArg | None
        """up to 10 object tags."""
        forbid_overwrite: bool
        """
        fail when another object has the key. An equal object is success: it is what a lost answer or an earlier attempt
        leaves behind.
        """
        traffic_limit: int | str | XComArg | None
        """bit/s for each connection, 819200 to 838860800; a number or, from a template, its text."""
        callback: (
            Mapping[str, str | float | bool | Mapping[str, str | float | bool | XComArg] | XComArg] | XComArg | None
        )
        """
        url, body and optionally host, contentType, customValue: OSS calls the application when the object is stored,
        and its answer is ``callback_response`` of the result.
        """

    class ResumableOptions(UploadOptions, total=False):
        """Arguments of OSSResumableBaseOperator."""

        part_size: int | str | XComArg | None
        """
        bytes, 100 KB to 5 GB, as a number or as text, with a unit if you like (``"8 MiB"``); None chooses. Templated.
        """
        parallel: int | str | XComArg | None
        """parts sent at the same time, 1 to 100; of a file, one more may wait for OSS's answer. Templated."""
        checkpoint: str | CheckpointStore | XComArg
        """
        where the upload id is kept between attempts: ``"auto"`` (the task state store from Airflow 3.3 on, else a
        Variable), ``"task_state"``, ``"variable"``, ``"xcom"``, or ``"xcom:task_id"``, which names the task whose XCom
        holds it, or an object with ``load``, ``save`` and ``delete``. Templated.
        """
        checkpoint_anchor: str | XComArg | None
        """deprecated: write ``checkpoint="xcom:task_id"``. Templated."""
        progress: ProgressCallback | None
        """called as ``progress(fraction, checkpoint, response)`` after every part."""

    class TreeOptions(ConnectionOptions, total=False):
        """Arguments of OSSTreeBaseOperator."""

        bucket_name: str | XComArg | None
        """bucket; None for the connection's schema."""
        include: str | Sequence[str | XComArg] | XComArg | None
        """globs of the files that are meant; None for all. See OSSUploadDirectoryOperator."""
        exclude: str | Sequence[str | XComArg] | XComArg | None
        """globs of files that are not meant, though ``include`` names them."""
        symlinks: str | XComArg
        """``"follow"``, ``"skip"`` or ``"error"``. See OSSUploadDirectoryOperator."""
        allow_empty: bool
        """let there be no file that the globs mean."""

    class MappedDirectoryOptions(ResumableOptions, TreeOptions, total=False):
        """Arguments of ``mapped_directory_upload`` that its tasks take, beside the directory and the key."""

        skip_unchanged: bool
        delete_removed: bool
        dry_run: bool

    class MappedExportOptions(ResumableOptions, total=False):
        """Arguments of ``mapped_export`` that its tasks take, beside the query, the database and the key."""

        parameters: Sequence[Any] | Mapping[str, Any] | XComArg | None
        file_format: str | XComArg
        csv_options: Mapping[str, Any] | XComArg | None
        columns: Sequence[str | XComArg] | XComArg | None
        exclude: Sequence[str | XComArg] | XComArg | None
        compression: str | XComArg | None
        split_rows: int | str | XComArg | None
        split_bytes: int | str | XComArg | None
        partition_by: Sequence[str | XComArg] | XComArg | None
        keep_partition_columns: bool
        max_open_partitions: int | str | XComArg | None
        skip_empty: bool
        batch_rows: int | str | XComArg | None

    class StreamOptions(ResumableOptions, total=False):
        """Arguments of OSSStreamBaseOperator."""

        compression: str | XComArg | None
        """
        None, ``"gzip"`` or ``"zstd"`` (extra ``zstd`` of the package), the same bytes in every attempt. A key that ends
        in ``.gz`` or ``.zst`` names a compressed file; with any other, the object gets the Content-Encoding, unless
        ``headers`` has one, and HTTP clients decompress it. Templated.
        """

    # What may not

    class _Task(TypedDict):
        task_id: str

    class _Keyed(TypedDict):
        key: str | XComArg
        """object name, or a whole ``oss://bucket/key``. Templated."""

    class _Directory(TypedDict):
        directory: str | os.PathLike[str] | XComArg
        """path of the directory on the worker. Templated, like every text below."""
        key: str | XComArg
        """the prefix, or ``oss://bucket/prefix``; it gets a slash at its end if it has none."""

    class AirflowKeywords(AirflowOptions, _Task):
        """What OSSBaseOperator passes on."""

    class AirflowSensorKeywords(AirflowSensorOptions, ConnectionOptions, _Task):
        """What OSSBaseSensor passes on."""

    class ConnectionKeywords(ConnectionOptions, _Task):
        """What is passed on to OSSBaseOperator."""

    class SensorKeywords(SensorOptions, _Task):
        """What is passed on to OSSBaseSensor."""

    class ObjectTagsKeywords(ObjectTagsOptions, _Keyed, _Task):
        """What is passed on to OSSObjectTagsBaseOperator."""

    class UploadKeywords(UploadOptions, _Keyed, _Task):
        """What is passed on to OSSUploadBaseOperator."""

    class ResumableKeywords(ResumableOptions, _Keyed, _Task):
        """What is passed on to OSSResumableBaseOperator."""

    class TreeKeywords(TreeOptions, _Directory, _Task):
        """What is passed on to OSSTreeBaseOperator."""

    class KeylessKeywords(ResumableOptions, _Task):
        """The same, by an operator that takes the key itself."""

    class StreamKeywords(StreamOptions, _Keyed, _Task):
        """What is passed on to OSSStreamBaseOperator."""

    class GroupKeywords(UploadOptions, _Keyed):
        """What a group of tasks hands out to them."""

    class DecoratorKeywords(StreamOptions, _Keyed, total=False):
        """What ``@task.oss_upload`` takes: the task is called like the function unless it is given another id."""

        task_id: str
