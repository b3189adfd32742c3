"""Buckets, created and deleted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_oss.operators.base import OSSBaseOperator, failing_at_once

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


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

    def __init__(
        self,
        *,
        bucket_name: str,
        acl: str | None = None,
        storage_class: str | None = None,
        redundancy: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.bucket_name = bucket_name
        self.acl = acl
        self.storage_class = storage_class
        self.redundancy = redundancy

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002 - Airflow's signature
        """Create the bucket if need be."""
        with failing_at_once():
            created = self.hook.create_bucket(self.bucket_name, self.acl, self.storage_class, self.redundancy)
        self.log.info("Bucket %s %s", self.bucket_name, "was created" if created else "was there already")
        return {"bucket": self.bucket_name, "created": created}


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

    def __init__(self, *, bucket_name: str, force: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.bucket_name = bucket_name
        self.force = force

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002 - Airflow's signature
        """Delete the bucket if it is there."""
        with failing_at_once():
            deleted = self.hook.delete_bucket(self.bucket_name, force=self.force)
        self.log.info("Bucket %s %s", self.bucket_name, "was deleted" if deleted else "was not there")
        return {"bucket": self.bucket_name, "deleted": deleted}
