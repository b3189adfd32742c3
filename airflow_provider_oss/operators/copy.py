"""The operator that lets OSS copy an object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from typing_extensions import override

from airflow_provider_oss.limits import MAX_COPY_SIZE_BYTES
from airflow_provider_oss.operators.base import needing_an_object
from airflow_provider_oss.operators.resumable import OSSResumableBaseOperator

if TYPE_CHECKING:
    from typing import Unpack

    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_oss.model import CopyResult
    from airflow_provider_oss.operators import ResumableKeywords


class OSSCopyObjectOperator(OSSResumableBaseOperator):
    """
    Lets OSS copy one object of any size within a region; a retried task instance continues where the last one stopped.

    Nothing passes through the worker. An object of up to ``multipart_threshold`` bytes is one request, a larger one is
    copied in parts; all are of one version of the source, which OSS compares with each. The copy's size and CRC-64 are
    compared with the source's. A source that is replaced meanwhile fails the attempt, and the next one copies what is
    there then; one that is missing fails the task at once.

    The copy has the source's Content-Type, metadata, headers, storage class and tags; if any of ``mime``, ``meta``,
    ``headers``, ``storage_class`` and ``tags`` is given it has these in place of all of them. It has the ACL that
    ``acl`` says, and the bucket's without. OSS makes no ``callback`` for a copy. For the other arguments see
    OSSResumableBaseOperator and OSSUploadBaseOperator.

    Returns a plain dict, whose fields are those of ``airflow_provider_oss.model.CopyResult``.

    :param source_key: the object to copy, or a whole ``oss://bucket/key``. One object: map the task for many.
        Templated.
    :param source_bucket_name: its bucket; None for the connection's schema. Templated.
    :param part_size: bytes, 100 KB to 1 GB; None chooses at least 64 MiB so that there are at most 10,000 parts.
    :param multipart_threshold: bytes, at most 1 GB, which is what OSS copies in one request. Templated.
    """

    template_fields: Sequence[str] = (
        *OSSResumableBaseOperator.template_fields, "source_key", "source_bucket_name", "multipart_threshold",
    )  # fmt: skip
    transfer_kind = "copy"

    source_key: str
    source_bucket_name: str | None
    multipart_threshold: int | str | None

    def __init__(
        self,
        *,
        source_key: str | XComArg,
        source_bucket_name: str | XComArg | None = None,
        multipart_threshold: int | str | XComArg | None = MAX_COPY_SIZE_BYTES,
        **kwargs: Unpack[ResumableKeywords],
    ) -> None:
        super().__init__(**kwargs)
        self._keep(
            source_key=source_key,
            source_bucket_name=source_bucket_name,
            multipart_threshold=multipart_threshold,
        )

    @override
    def work(self, context: Context) -> CopyResult:
        from airflow_provider_oss.quantities import size_in_bytes

        with needing_an_object():
            return self.hook.copy_object(
                self.source_key,
                self.key,
                self.source_bucket_name,
                self.bucket_name,
                multipart_threshold=size_in_bytes("multipart_threshold", self.multipart_threshold, MAX_COPY_SIZE_BYTES),
                **self.resumable_arguments(context),
                **self.object_options(),
            )

    @override
    def sources(self) -> Sequence[str]:
        return () if self._result is None else (self._result.source_uri,)
