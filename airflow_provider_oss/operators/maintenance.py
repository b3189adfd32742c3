"""What has to be done from time to time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from typing_extensions import override

from airflow_provider_oss.operators.base import OSSBaseOperator
from airflow_provider_oss.shown import Log

if TYPE_CHECKING:
    from typing import Unpack

    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_oss.engine.stale import StaleUploadsResult
    from airflow_provider_oss.operators import ConnectionKeywords

log = Log(__name__)

_PATIENCE: Final = timedelta(days=31)
"""A day more than a checkpoint stays in the task state store, where this operator cannot see it."""


class OSSAbortStaleUploadsOperator(OSSBaseOperator):
    """
    Aborts multipart uploads that nobody continues and reports what they cost; removes checkpoint Variables of no use.

    OSS keeps the parts of an unfinished upload, billed and invisible among the objects, until it is aborted. One is
    aborted when for ``older_than`` it was neither begun nor a part of it stored, and no live checkpoint names it: one
    whose task instance may run again, or that was saved within ``older_than``. Where a part's time may not be looked up
    (permission oss:ListParts), the upload stays.

    Which checkpoints a task can see depends on Airflow: on 2.11 those in Variables and XComs, on 3.3 those in
    Variables, on 3.0 to 3.2 none. Never seen are those in the task state store, and in stores of your own. Uploads
    named there are protected by ``older_than`` alone. Its default is longer than the task state store keeps what nobody
    saves any more (30 days); a shorter one must be longer than the longest pause between two attempts (``retry_delay``,
    or until somebody clears a failed task). An attempt that finds its upload gone begins anew.

    A checkpoint Variable is removed with its upload, or when its upload is gone, but never while its task instance may
    run again, nor when it cannot be read or names another bucket.

    Returns a dict: ``uploads`` (numbers: those found), ``aborted``, ``bytes`` (of their parts), ``kept`` (by reason:
    ``recent``, ``checkpoint``, ``unknown``), ``kept_bytes``, ``variables_removed``, ``first`` (the first ten aborted),
    ``kept_first`` (the first ten kept, but for recent ones; both with the ``owner``, the task instance that began the
    upload, where it is known), ``unseen_stores``, ``bucket``, ``prefix``, ``dry_run``.
    For ``oss_conn_id`` and ``region`` see OSSBaseOperator.

    :param older_than: a timedelta, seconds, or ISO 8601 such as ``P7D``; 31 days if not given. Templated.
    :param prefix: what the keys begin with, taken as it is, or ``oss://bucket/prefix``; "" is the whole bucket.
        Templated.
    :param bucket_name: bucket; None for the connection's schema. Templated.
    :param dry_run: only report what would be done.
    """

    template_fields: Sequence[str] = (*OSSBaseOperator.template_fields, "older_than", "prefix", "bucket_name")

    older_than: timedelta | float | str
    prefix: str
    bucket_name: str | None
    only_tell: bool

    def __init__(
        self,
        *,
        older_than: timedelta | float | str | XComArg = _PATIENCE,
        prefix: str | XComArg = "",
        bucket_name: str | XComArg | None = None,
        dry_run: bool = False,
        **kwargs: Unpack[ConnectionKeywords],
    ) -> None:
        super().__init__(**kwargs)
        self._keep(older_than=older_than, prefix=prefix, bucket_name=bucket_name, only_tell=dry_run)

    @override
    def work(self, context: Context) -> StaleUploadsResult:
        from airflow_provider_oss.checkpoint.directory import AirflowCheckpointDirectory
        from airflow_provider_oss.quantities import duration

        checkpoints = AirflowCheckpointDirectory(context)
        if checkpoints.unseen:
            log.info(
                "Checkpoints in %s cannot be seen by a task of this Airflow: uploads that only they name are "
                "protected by older_than=%s alone",
                *(" and ".join(checkpoints.unseen), self.older_than),
            )
        return self.hook.abort_stale_uploads(
            duration("older_than", self.older_than),
            checkpoints,
            self.prefix,
            self.bucket_name,
            dry_run=self.only_tell,
        )
