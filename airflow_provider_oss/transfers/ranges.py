"""
One object from many mapped tasks: plan, send for each range of its parts, complete. ``mapped_upload`` makes all three.

What the tasks do together is written in ``airflow_provider_oss.engine.planned``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, Final

from typing_extensions import override

from airflow_provider_oss.limits import DEFAULT_PARALLEL, MAX_MAPPED_TASKS
from airflow_provider_oss.links.oss import TRANSFER_LINKS
from airflow_provider_oss.operators.base import OSSBaseOperator, OSSUploadBaseOperator
from airflow_provider_oss.operators.groups import Kinds, handed_out

if TYPE_CHECKING:
    from typing import Unpack

    from airflow.providers.common.compat.sdk import Context, TaskGroup, XComArg

    from airflow_provider_oss.engine.planned import PlannedUpload, RangeResult
    from airflow_provider_oss.lineage import TaskLineage
    from airflow_provider_oss.model import PlainResult, UploadResult
    from airflow_provider_oss.operators import ConnectionKeywords, GroupKeywords, UploadKeywords
    from airflow_provider_oss.ports import ProgressCallback

UPLOAD_KEY: Final = "upload"
"""Under which key of its XComs the planning task says what all others have to know."""


MAP_INDEX_TEMPLATE: Final = "parts {{ task.parts }} of {{ task.upload.parts }}"
"""What Airflow's pages call an instance of the task that sends, once it has rendered its templates."""


class OSSPlanUploadOperator(OSSUploadBaseOperator):
    """
    Begins the upload of one object that many tasks send, and returns the ranges of its parts, to expand over.

    The intent is saved before the upload is begun, and its id before the task ends: a retried or cleared task finds the
    upload again, whatever ended the last attempt. An upload that cannot become what is wanted any more is aborted, and
    another one begun. The ranges are a list of texts such as ``"1-400"``; what the other tasks have to know is in XCom
    under the key ``upload``. The record of it stays when the object is complete, for a task that is cleared then.

    The bucket must allow oss:ListParts. For the other arguments see OSSUploadBaseOperator.

    :param source: path of a file that all workers see, ``scheme://[conn_id@]path`` of a storage that ObjectStoragePath
        knows, an ObjectStoragePath, or an ``http(s)://`` URL whose server supports ranges and tells a strong ETag.
        Templated.
    :param source_conn_id: id of the storage's connection, if it is not in ``source``, or of one of type http that has
        the URL's server. Templated.
    :param part_size: bytes, 100 KB to 5 GB, as a number or as text, with a unit if you like (``"8 MiB"``); None
        chooses. Templated.
    :param ranges: how many ranges; None for 8, or as ``range_size`` says. Templated.
    :param range_size: bytes in a range, about: whole parts; as a number or as text (``"64 GiB"``). Templated.
    :param max_ranges: greatest number of ranges: Airflow allows as many instances of a mapped task as ``[core]
        max_map_length`` says.
    :param checkpoint: where the upload id is kept: as of OSSResumableUploadOperator, but by its name. Templated.
    """

    template_fields: Sequence[str] = (
        *OSSUploadBaseOperator.template_fields, "source", "source_conn_id", "part_size", "ranges", "range_size",
        "checkpoint",
    )  # fmt: skip
    exclusive: ClassVar[Sequence[str]] = ("ranges", "range_size")

    source: str | os.PathLike[str]
    source_conn_id: str | None
    part_size: int | str | None
    ranges: int | str | None
    range_size: int | str | None
    max_ranges: int
    checkpoint: str

    def __init__(
        self,
        *,
        source: str | os.PathLike[str] | XComArg,
        source_conn_id: str | XComArg | None = None,
        part_size: int | str | XComArg | None = None,
        ranges: int | str | XComArg | None = None,
        range_size: int | str | XComArg | None = None,
        max_ranges: int = MAX_MAPPED_TASKS,
        checkpoint: str | XComArg = "auto",
        **kwargs: Unpack[UploadKeywords],
    ) -> None:
        super().__init__(**kwargs)
        self._keep(
            source=source,
            source_conn_id=source_conn_id,
            part_size=part_size,
            ranges=ranges,
            range_size=range_size,
            max_ranges=max_ranges,
            checkpoint=checkpoint,
        )

    def check_arguments(self) -> None:
        """Check also how it is cut, and where the upload id is kept."""
        from airflow_provider_oss.checkpoint.choice import check_named_store
        from airflow_provider_oss.engine.planned import Cut
        from airflow_provider_oss.quantities import check_part_size, size_in_bytes, whole_number

        super().check_arguments()
        if (part_size := size_in_bytes("part_size", self.part_size)) is not None:
            check_part_size(part_size)
        Cut(
            whole_number("ranges", self.ranges), size_in_bytes("range_size", self.range_size), self.max_ranges
        )  # raises for what is none
        check_named_store(self.checkpoint)

    def contradiction(self) -> str | None:
        """Return what is wrong when it is said twice how the parts are cut into ranges."""
        is_twice = self.ranges is not None and self.range_size is not None
        return "give either ranges or range_size, not both" if is_twice else None

    @override
    def work(self, context: Context) -> PlainResult:
        from airflow_provider_oss.checkpoint.choice import choose_store
        from airflow_provider_oss.exceptions import OSSInvalidArgument
        from airflow_provider_oss.model import PlainResult
        from airflow_provider_oss.transfers.opened import opened_source

        if not self.do_xcom_push:
            raise OSSInvalidArgument("do_xcom_push=False: the tasks that send learn by XCom what to send")
        with opened_source(self.source, self.source_conn_id) as source:
            planned, ranges = self.hook.plan_upload(
                self.key,
                source,
                self.bucket_name,
                part_size=self.part_size,
                ranges=self.ranges,
                range_size=self.range_size,
                max_ranges=self.max_ranges,
                checkpoint=choose_store(self.checkpoint, context),
                cancellation=self._cancellation,
                **self.object_options(),
            )
        context["ti"].xcom_push(key=UPLOAD_KEY, value=planned.as_dict())
        upload = f"upload {planned.upload_id}" if planned.upload_id else "nothing to send"
        line = f"{planned.ref}: {upload}, {planned.size} bytes in {planned.parts} parts, {len(ranges)} ranges of them"
        return PlainResult(ranges, line)

    @override
    def lineage(self, result: PlainResult) -> TaskLineage:
        """Return nothing: the task that completes the upload says what was read and stored."""
        from airflow_provider_oss.lineage import TaskLineage

        return TaskLineage()


class OSSSendPartsOperator(OSSBaseOperator):
    """
    Verifies and sends a range of the parts of a planned upload; a retried or cleared task sends only what is missing.

    Each part that OSS holds is compared with the source as it is now, by size and CRC-64, and sent again if it differs;
    a source whose strong version is still the same is not read for it. The source must be what was planned: if it is
    another one by now, the task fails at once and says so. Where the upload is gone because the object is complete, the
    range is only read, and compared by the task that completes.

    Returns a dict: ``parts``, ``size``, ``crc64``, ``etags`` (a digest), ``bytes_sent``, ``bytes_verified``,
    ``elapsed_seconds``, ``upload`` and ``seal`` (by which OSSCompleteUploadOperator knows what it belongs to). For
    ``oss_conn_id`` and ``region`` see OSSBaseOperator.

    :param upload: what the planning task says: ``plan.output["upload"]``. Templated.
    :param parts: one of the ranges that the planning task returns; expand over ``plan.output``. Templated.
    :param source: that of the planning task. Templated.
    :param source_conn_id: that of the planning task. Templated.
    :param parallel: parts sent at the same time, 1 to 100; of a file, one more may wait for OSS's answer. Templated.
    :param checkpoint: where it is noted how far the range is: as of OSSResumableUploadOperator, but by its name.
        Templated.
    :param progress: called as ``progress(fraction, checkpoint, response)`` after every part; the fraction is the
        range's.
    :param traffic_limit: bit/s for each connection, 819200 to 838860800. Templated.
    """

    template_fields: Sequence[str] = (
        *OSSBaseOperator.template_fields, "upload", "parts", "source", "source_conn_id", "parallel", "checkpoint",
        "traffic_limit",
    )  # fmt: skip
    template_fields_renderers: ClassVar[dict[str, str]] = {"upload": "json"}
    operator_extra_links = TRANSFER_LINKS
    transfer_kind = "range"

    upload: Mapping[str, Any]
    parts: str
    source: str | os.PathLike[str]
    source_conn_id: str | None
    parallel: int | str | None
    checkpoint: str
    progress: ProgressCallback | None
    traffic_limit: int | str | None

    def __init__(
        self,
        *,
        upload: Mapping[str, Any] | XComArg,
        parts: str | XComArg,
        source: str | os.PathLike[str] | XComArg,
        source_conn_id: str | XComArg | None = None,
        parallel: int | str | XComArg | None = DEFAULT_PARALLEL,
        checkpoint: str | XComArg = "auto",
        progress: ProgressCallback | None = None,
        traffic_limit: int | str | XComArg | None = None,
        **kwargs: Unpack[ConnectionKeywords],
    ) -> None:
        super().__init__(**kwargs)
        self._keep(
            upload=upload,
            parts=parts,
            source=source,
            source_conn_id=source_conn_id,
            parallel=parallel,
            checkpoint=checkpoint,
            progress=progress,
            traffic_limit=traffic_limit,
        )

    def check_arguments(self) -> None:
        """Check also how it is sent, and what it is a range of."""
        from airflow_provider_oss.checkpoint.choice import check_named_store
        from airflow_provider_oss.options import parse_options
        from airflow_provider_oss.quantities import check_parallel

        super().check_arguments()
        check_parallel(self._parallel())
        check_named_store(self.checkpoint)
        parse_options(traffic_limit=self.traffic_limit)
        planned_upload(self.upload).range(self.parts)

    def _parallel(self) -> int:
        from airflow_provider_oss.quantities import whole_number

        return whole_number("parallel", self.parallel, DEFAULT_PARALLEL)

    @override
    def transfer_target(self) -> str:
        return planned_upload(self.upload).ref.uri

    @override
    def work(self, context: Context) -> RangeResult:
        from airflow_provider_oss.checkpoint.choice import choose_store
        from airflow_provider_oss.transfers.opened import opened_source

        with opened_source(self.source, self.source_conn_id, self._parallel()) as source:
            return self.hook.send_parts(
                planned_upload(self.upload),
                self.parts,
                source,
                parallel=self._parallel(),
                progress=self.progress,
                checkpoint=self._beside(choose_store(self.checkpoint, context)),
                cancellation=self._cancellation,
                traffic_limit=self.traffic_limit,
            )


class OSSCompleteUploadOperator(OSSUploadBaseOperator):
    """
    Makes one object of the ranges that many tasks have sent, and proves it equal to what all of them read.

    What OSS lists is compared with each range before, and the CRC-64 of the object with that of all ranges after. A
    retried or cleared task finds the object that is complete. When a range is missing, because its task was marked as
    successful, or OSS holds something else, the task fails at once and says which to clear. Nothing is ever aborted.

    Give ``key``, ``bucket_name``, and what is stored with the object, as to the planning task. Returns the dict of
    every upload; ``bytes_sent`` and ``bytes_verified`` are those of all tasks, ``elapsed_seconds`` is counted from the
    beginning of the upload. For the other arguments see OSSUploadBaseOperator.

    :param upload: what the planning task says: ``plan.output["upload"]``. Templated.
    :param results: what the tasks that send have returned: ``send.output``. Templated.
    """

    template_fields: Sequence[str] = (*OSSUploadBaseOperator.template_fields, "upload", "results")
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **OSSUploadBaseOperator.template_fields_renderers, "upload": "json",
    }  # fmt: skip

    upload: Mapping[str, Any]
    results: Sequence[Mapping[str, Any]]

    def __init__(
        self,
        *,
        upload: Mapping[str, Any] | XComArg,
        results: Sequence[Mapping[str, Any]] | XComArg,
        **kwargs: Unpack[UploadKeywords],
    ) -> None:
        super().__init__(**kwargs)
        self._keep(upload=upload, results=results)

    def check_arguments(self) -> None:
        """Check also that it is what was planned."""
        from airflow_provider_oss.exceptions import OSSInvalidArgument

        super().check_arguments()
        planned, ref = planned_upload(self.upload), self.hook.resolve(self.key, self.bucket_name, storing=True)
        if planned.ref != ref:
            raise OSSInvalidArgument(f"key: {ref} is not the object that was planned, {planned.ref}: give the same key")

    @override
    def work(self, context: Context) -> UploadResult:
        from airflow_provider_oss.engine.planned import RangeResult

        results = [RangeResult.parse("results", one) for one in self.results if one is not None]
        return self.hook.complete_upload(
            planned_upload(self.upload), results, cancellation=self._cancellation, **self.object_options()
        )

    @override
    def sources(self) -> Sequence[str]:
        return (planned_upload(self.upload).source,)


class OSSAbandonUploadOperator(OSSBaseOperator):
    """
    Aborts a planned upload, for good: its parts are deleted, and are billed no more. One that is gone is fine.

    It is for a task that is run on purpose, when nobody is to clear the failed tasks any more. Returns the upload's id,
    empty when there was none. For ``oss_conn_id`` and ``region`` see OSSBaseOperator.

    :param upload: what the planning task says: ``plan.output["upload"]``. Templated.
    """

    template_fields: Sequence[str] = (*OSSBaseOperator.template_fields, "upload")
    template_fields_renderers: ClassVar[dict[str, str]] = {"upload": "json"}

    upload: Mapping[str, Any]

    def __init__(self, *, upload: Mapping[str, Any] | XComArg, **kwargs: Unpack[ConnectionKeywords]) -> None:
        super().__init__(**kwargs)
        self._keep(upload=upload)

    @override
    def work(self, context: Context) -> PlainResult:
        from airflow_provider_oss.exceptions import OSSNoSuchUpload
        from airflow_provider_oss.model import PlainResult

        planned = planned_upload(self.upload)
        if planned.upload_id:
            with suppress(OSSNoSuchUpload):
                self.hook.abort_multipart_upload(planned.ref.uri, planned.upload_id)
        return PlainResult(planned.upload_id, f"Upload {planned.upload_id or '(none)'} of {planned.ref} is no more")


def mapped_upload(  # noqa: PLR0913 - one argument for each thing a user may want otherwise
    group_id: str,
    *,
    source: str | os.PathLike[str] | XComArg,
    source_conn_id: str | XComArg | None = None,
    part_size: int | str | XComArg | None = None,
    ranges: int | str | XComArg | None = None,
    range_size: int | str | XComArg | None = None,
    max_ranges: int = MAX_MAPPED_TASKS,
    parallel: int | str | XComArg | None = DEFAULT_PARALLEL,
    checkpoint: str | XComArg = "auto",
    progress: ProgressCallback | None = None,
    **kwargs: Unpack[GroupKeywords],
) -> TaskGroup:
    """
    Return a task group that uploads one object by many mapped tasks: ``plan``, ``send`` for each range, ``complete``.

    Arguments of Airflow (``retries``, ``pool``, ``queue``, ...) hold for all three, but ``inlets`` and ``trigger_rule``
    for ``plan`` alone, ``max_active_tis_per_dagrun`` and ``map_index_template`` for ``send``, ``outlets`` and
    ``on_success_callback`` for ``complete``. The object's result is the output of ``complete``:
    ``group.children[f"{group_id}.complete"].output``. For the other arguments see OSSPlanUploadOperator,
    OSSSendPartsOperator and OSSUploadBaseOperator.
    """
    from airflow.providers.common.compat.sdk import TaskGroup

    given = {
        "map_index_template": MAP_INDEX_TEMPLATE,
        **kwargs,
        "source": source,
        "source_conn_id": source_conn_id,
        "part_size": part_size,
        "ranges": ranges,
        "range_size": range_size,
        "max_ranges": max_ranges,
        "parallel": parallel,
        "checkpoint": checkpoint,
        "progress": progress,
    }
    to_plan, to_send, to_complete = handed_out(_KINDS, given)
    with TaskGroup(group_id) as group:
        plan = OSSPlanUploadOperator(task_id="plan", **to_plan)
        upload = plan.output[UPLOAD_KEY]
        send = OSSSendPartsOperator.partial(task_id="send", upload=upload, **to_send).expand(parts=plan.output)
        OSSCompleteUploadOperator(task_id="complete", upload=upload, results=send.output, **to_complete)
    return group


_KINDS: Final = Kinds(OSSPlanUploadOperator, OSSSendPartsOperator, OSSCompleteUploadOperator)


def planned_upload(given: Any) -> PlannedUpload:
    """Return what the planning task says. Raises OSSInvalidArgument for anything else."""
    from airflow_provider_oss.engine.planned import PlannedUpload

    return PlannedUpload.parse(UPLOAD_KEY, given)
