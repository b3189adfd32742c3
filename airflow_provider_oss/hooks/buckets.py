"""What the hook does with buckets."""

from __future__ import annotations

import logging
from dataclasses import asdict

from airflow_provider_oss.exceptions import (
    ErrorDetails,
    OSSAccessDenied,
    OSSNoSuchBucket,
    OSSNoSuchUpload,
    OSSRequestRejected,
)
from airflow_provider_oss.hooks.multipart import OSSMultipartHook
from airflow_provider_oss.hooks.objects import OSSObjectHook
from airflow_provider_oss.model import BucketInfo, BucketProperties, check_bucket_name
from airflow_provider_oss.options import parse_bucket_properties

log = logging.getLogger(__name__)

_TAKEN = "BucketAlreadyExists"


class OSSBucketHook(OSSMultipartHook, OSSObjectHook):
    """Creates, describes and deletes buckets."""

    def bucket_info(self, bucket_name: str | None = None) -> BucketInfo:
        """Describe a bucket. Raises OSSNoSuchBucket; OSSAccessDenied for one of somebody else."""
        return self._retrying(self._client.bucket_info, self.resolve_bucket(bucket_name))

    def bucket_exists(self, bucket_name: str | None = None) -> bool:
        """
        Whether there is such a bucket that this account may describe.

        Only OSS's "no such bucket" means no; everything else raises, OSSAccessDenied for a bucket of somebody else.
        """
        try:
            self.bucket_info(bucket_name)
        except OSSNoSuchBucket:
            return False
        return True

    def create_bucket(
        self,
        bucket_name: str,
        acl: str | None = None,
        storage_class: str | None = None,
        redundancy: str | None = None,
    ) -> bool:
        """
        Create a bucket in the region of the connection's endpoint; return whether it was not there before.

        One that the account has already is left as it is and must have what was asked for. Raises OSSRequestRejected
        when it has not, and when the name is taken by somebody else.

        :param acl: private (OSS's default), public-read or public-read-write.
        :param storage_class: Standard (the default), IA, Archive, ColdArchive or DeepColdArchive.
        :param redundancy: LRS (the default) or ZRS.
        """
        wanted = parse_bucket_properties(acl, storage_class, redundancy)
        check_bucket_name(bucket_name)
        if self._has_bucket(bucket_name, wanted):
            return False
        try:
            self._retrying(self._client.create_bucket, bucket_name, wanted)
        except OSSRequestRejected as error:
            # It may be this call's own work, whose first answer was lost
            if error.details.code != _TAKEN or not self._has_bucket(bucket_name, wanted):
                raise
        return True

    def _has_bucket(self, bucket: str, wanted: BucketProperties) -> bool:
        """
        Return whether the account has this bucket. Raises OSSRequestRejected when it has other properties.

        Where describing it is not allowed it may be somebody else's, or not be there: creating it tells.
        """
        try:
            has = self.bucket_info(bucket).properties
        except (OSSNoSuchBucket, OSSAccessDenied):
            return False
        for name, value in asdict(wanted).items():
            if value is not None and value != (actual := getattr(has, name)):
                raise OSSRequestRejected(
                    f"the bucket is there already and has {name}={actual!r}, not {value!r}: ask for what it has, "
                    "change it by other means, or choose another name",
                    ErrorDetails(bucket),
                )
        return True

    def delete_bucket(self, bucket_name: str, *, force: bool = False) -> bool:
        """
        Delete a bucket; return whether it was there.

        Raises OSSRequestRejected when it is not empty: unfinished multipart uploads count.

        :param force: delete all its objects and abort all its multipart uploads first. Where versioning is or was on,
            OSS keeps versions, which this does not delete.
        """
        check_bucket_name(bucket_name)
        try:
            if force:
                self._empty(bucket_name)
            self._retrying(self._client.delete_bucket, bucket_name)
        except OSSNoSuchBucket:
            return False
        return True

    def _empty(self, bucket: str) -> None:
        deleted = sum(len(keys) for keys in self.delete_below("", bucket))
        aborted = 0
        for upload in self.list_multipart_uploads("", bucket):
            try:
                self._calls.abort_multipart_upload(upload.ref, upload.upload_id)
            except OSSNoSuchUpload:
                continue
            aborted += 1
        log.info("Bucket %s: deleted %d objects and aborted %d multipart uploads", bucket, deleted, aborted)
