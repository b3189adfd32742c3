"""What OSS keeps beside the bytes, mostly by oss2: buckets with their properties, and the tags of objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from airflow_provider_oss.clients.documents import check_root, tags_of
from airflow_provider_oss.clients.errors import proves_signature, renamed
from airflow_provider_oss.clients.upload_client import OSSUploadClient
from airflow_provider_oss.exceptions import ErrorDetails, OSSCredentialsExpired, OSSProviderError
from airflow_provider_oss.model import BucketInfo, BucketProperties, ObjectRef

if TYPE_CHECKING:
    from airflow_provider_oss.clients.buckets import Buckets


class OSSPropertyClient(OSSUploadClient):
    """Thread-safe. Every method makes one request and raises the classes of ``exceptions``."""

    @cached_property
    def buckets(self) -> Buckets:
        """What oss2 offers, for the same account. oss2 is imported now."""
        from airflow_provider_oss.clients.buckets import Buckets

        return Buckets(self._api)

    @contextmanager
    def _by_oss2(self, ref: ObjectRef | None = None, bucket: str | None = None) -> Iterator[None]:
        """Return the context that a call of oss2 about this object, or bucket, is made in."""
        from airflow_provider_oss.clients.buckets import renamed_oss2

        details = ErrorDetails(bucket) if ref is None else ErrorDetails(ref.bucket, ref.key)
        try:
            with renamed_oss2(details, self._api.clock):
                yield
        except OSSCredentialsExpired:
            self._api.credentials.refused()
            raise
        except OSSProviderError as error:
            if proves_signature(error):
                self._api.credentials.accepted()
            raise
        self._api.credentials.accepted()

    def list_buckets(self) -> list[str]:
        """ListBuckets, all pages: whether the credentials work at all, and the names."""
        names: list[str] = []
        marker = ""
        with self._by_oss2():
            while True:
                result = self.buckets.service().list_buckets(marker=marker, max_keys=1000)
                check_root(result.resp.document, "ListAllMyBucketsResult")
                names += [item.name for item in result.buckets]
                if not result.is_truncated:
                    return names
                marker = result.next_marker

    def create_bucket(self, bucket: str, properties: BucketProperties) -> None:
        """PutBucket. OSSRequestRejected with code BucketAlreadyExists: it is another's, or has other properties."""
        with self._by_oss2(bucket=bucket):
            self.buckets.create(bucket, properties)

    def bucket_info(self, bucket: str) -> BucketInfo:
        """GetBucketInfo. Raises OSSNoSuchBucket."""
        with self._by_oss2(bucket=bucket):
            result = self.buckets.get(bucket).get_bucket_info()
            check_root(result.resp.document, "BucketInfo")
            return BucketInfo(
                name=result.name,
                location=result.location,
                properties=BucketProperties(result.acl.grant, result.storage_class, result.data_redundancy_type),
            )

    def delete_bucket(self, bucket: str) -> None:
        """DeleteBucket. OSSRequestRejected with code BucketNotEmpty: it holds objects, or unfinished uploads."""
        with self._by_oss2(bucket=bucket):
            self.buckets.get(bucket).delete_bucket()

    def get_object_tags(self, ref: ObjectRef) -> dict[str, str]:
        """GetObjectTagging. Raises OSSNoSuchKey."""
        details = ErrorDetails(ref.bucket, ref.key)
        with renamed(details):
            return tags_of(self._api.call("GET", details, {"tagging": ""}, {}).body)

    def put_object_tags(self, ref: ObjectRef, tags: Mapping[str, str]) -> None:
        """PutObjectTagging: these in place of all that the object has. Raises OSSNoSuchKey."""
        with self._by_oss2(ref):
            self.buckets.put_tags(ref, tags)

    def delete_object_tags(self, ref: ObjectRef) -> None:
        """DeleteObjectTagging, of all. Raises OSSNoSuchKey."""
        with self._by_oss2(ref):
            self.buckets.get(ref.bucket).delete_object_tagging(ref.key)
