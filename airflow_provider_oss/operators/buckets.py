"""Buckets, created and deleted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from typing_extensions import override

from airflow_provider_oss.operators.base import OSSBaseOperator

if TYPE_CHECKING:
    from typing import Unpack

    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_oss.model import PlainResult
    from airflow_provider_oss.operators import ConnectionKeywords


class OSSCreateBucketOperator(OSSBaseOperator):
    """
    Makes sure that the account has this bucket, with what is asked for, in the region of the connection's endpoint.

    One that the account has already is left as it is; when it has other properties than those asked for, or the name is
    taken by somebody else, the task fails for good. Returns a dict: ``bucket``, ``created`` (False: it was there). For
    ``oss_conn_id`` and ``region`` see OSSBaseOperator.

    :param bucket_name: 3 to 63 characters of a-z, 0-9 and "-", unique among all users of OSS. Templated.
    :param acl: private, public-read or public-read-write; None does not care: OSS makes a new one private. Templated.
    :param storage_class: Standard, IA, Archive, ColdArchive or DeepColdArchive; None does not care: a new one is
        Standard. Templated.
    :param redundancy: LRS (one zone) or ZRS (several); None does not care: a new one is what OSS has for its default.
        Templated.
    """

    template_fields: Sequence[str] = (
        *OSSBaseOperator.template_fields, "bucket_name", "acl", "storage_class", "redundancy",
    )  # fmt: skip

    bucket_name: str
    acl: str | None
    storage_class: str | None
    redundancy: str | None

    def __init__(
        self,
        *,
        bucket_name: str | XComArg,
        acl: str | XComArg | None = None,
        storage_class: str | XComArg | None = None,
        redundancy: str | XComArg | None = None,
        **kwargs: Unpack[ConnectionKeywords],
    ) -> None:
        super().__init__(**kwargs)
        self._keep(bucket_name=bucket_name, acl=acl, storage_class=storage_class, redundancy=redundancy)

    @override
    def work(self, context: Context) -> PlainResult:
        from airflow_provider_oss.model import PlainResult

        created = self.hook.create_bucket(self.bucket_name, self.acl, self.storage_class, self.redundancy)
        done = "was created" if created else "was there already"
        return PlainResult({"bucket": self.bucket_name, "created": created}, f"Bucket {self.bucket_name} {done}")


class OSSDeleteBucketOperator(OSSBaseOperator):
    """
    Makes sure that there is no such bucket.

    That it is not there is success: a retried attempt may have deleted it. A bucket with objects or unfinished
    multipart uploads fails the task for good, unless ``force``. Returns a dict: ``bucket``, ``deleted`` (False: it was
    not there). For ``oss_conn_id`` and ``region`` see OSSBaseOperator.

    :param bucket_name: the bucket; never the connection's default. Templated.
    :param force: delete all objects and abort all multipart uploads first, whoever works on them. Versions that a
        bucket with versioning keeps are not deleted: then the task fails.
    """

    template_fields: Sequence[str] = (*OSSBaseOperator.template_fields, "bucket_name")

    bucket_name: str
    force: bool

    def __init__(
        self, *, bucket_name: str | XComArg, force: bool = False, **kwargs: Unpack[ConnectionKeywords]
    ) -> None:
        super().__init__(**kwargs)
        self._keep(bucket_name=bucket_name, force=force)

    @override
    def work(self, context: Context) -> PlainResult:
        from airflow_provider_oss.model import PlainResult

        deleted = self.hook.delete_bucket(self.bucket_name, force=self.force)
        done = "was deleted" if deleted else "was not there"
        return PlainResult({"bucket": self.bucket_name, "deleted": deleted}, f"Bucket {self.bucket_name} {done}")
