"""
OSSObjectClient, the whole client: uploads, and beside them reads, streams, lists, deletions and presigned URLs.

Buckets and tags are in OSSPropertyClient, from which it is derived.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Self

from airflow_provider_oss.clients.errors import renamed
from airflow_provider_oss.clients.exchange import Response
from airflow_provider_oss.clients.messages import (
    SAFE_IN_XML,
    bucket_configuration,
    bucket_info_of,
    buckets_page,
    check_asked_for,
    compare_crc64,
    content_headers,
    deleted_keys,
    deletion,
    object_info,
    objects_page,
    publishing_headers,
    put_object_answer,
    reading_headers,
    sending_headers,
    tagging,
    tags_of,
)
from airflow_provider_oss.clients.upload_client import OSSUploadClient, StreamBody, being_there
from airflow_provider_oss.exceptions import NO_DETAILS, ErrorDetails
from airflow_provider_oss.failures import SourceFailed
from airflow_provider_oss.model import (
    BucketInfo,
    BucketProperties,
    ListedObject,
    ObjectInfo,
    ObjectOptions,
    ObjectRef,
    Page,
    StoredObject,
    pages,
)
from airflow_provider_oss.proof import content_md5

if TYPE_CHECKING:
    from airflow_provider_oss.clients.buckets import Buckets


class OSSPropertyClient(OSSUploadClient):
    """Thread-safe. Every method makes one request and raises the classes of ``exceptions``."""

    @cached_property
    def buckets(self) -> Buckets:
        """The account's buckets as ``oss2.Bucket`` objects. Imports oss2."""
        from airflow_provider_oss.clients.buckets import Buckets

        return Buckets(self._api)

    def list_buckets(self) -> list[str]:
        """ListBuckets, all pages: whether the credentials work at all, and the names."""

        def ask(marker: str) -> Page[str]:
            with renamed(NO_DETAILS):
                return buckets_page(self._api.call("GET", NO_DETAILS, {"marker": marker, "max-keys": "1000"}, {}).body)

        return [name for page in pages(ask, "", NO_DETAILS) for name in page.items]

    def create_bucket(self, bucket: str, properties: BucketProperties) -> None:
        """PutBucket. OSSRequestRejected with code BucketAlreadyExists: it is another's, or has other properties."""
        headers = {} if properties.acl is None else {"x-oss-acl": properties.acl}
        self._api.call("PUT", ErrorDetails(bucket), {}, headers, bucket_configuration(properties))

    def bucket_info(self, bucket: str) -> BucketInfo:
        """GetBucketInfo. Raises OSSNoSuchBucket."""
        details = ErrorDetails(bucket)
        with renamed(details):
            return bucket_info_of(self._api.call("GET", details, {"bucketInfo": ""}, {}).body)

    def delete_bucket(self, bucket: str) -> None:
        """DeleteBucket. OSSRequestRejected with code BucketNotEmpty: it holds objects, or unfinished uploads."""
        self._api.call("DELETE", ErrorDetails(bucket), {}, {})

    def get_object_tags(self, ref: ObjectRef) -> dict[str, str]:
        """GetObjectTagging. Raises OSSNoSuchKey."""
        details = ErrorDetails(ref.bucket, ref.key)
        with renamed(details):
            return tags_of(self._api.call("GET", details, {"tagging": ""}, {}).body)

    def put_object_tags(self, ref: ObjectRef, tags: Mapping[str, str]) -> None:
        """PutObjectTagging: these in place of all that the object has. Raises OSSNoSuchKey."""
        self._api.call("PUT", ErrorDetails(ref.bucket, ref.key), {"tagging": ""}, {}, tagging(tags))

    def delete_object_tags(self, ref: ObjectRef) -> None:
        """DeleteObjectTagging, of all. Raises OSSNoSuchKey."""
        self._api.call("DELETE", ErrorDetails(ref.bucket, ref.key), {"tagging": ""}, {})


_READ_BYTES = 1024 * 1024
_KEYS_PER_PAGE = 1000


class ObjectBody:
    """An object, or a range of one, being read. Give it up with ``close`` or a ``with`` block."""

    def __init__(self, info: ObjectInfo, response: Response, details: ErrorDetails) -> None:
        self.info = info
        self._response = response
        self._details = details

    def read(self, size: int | None = None) -> bytes:
        """Return up to ``size`` bytes, or all that is left; no bytes at the end. Raises OSSConnectionError."""
        with renamed(self._details):
            return self._response.read(size)

    def readinto(self, buffer: bytearray | memoryview) -> int:
        """Fill the buffer, or as much as is left; return how much that was, 0 at the end. Raises OSSConnectionError."""
        with renamed(self._details):
            return self._response.readinto(buffer)

    def __iter__(self) -> Iterator[bytes]:
        while chunk := self.read(_READ_BYTES):
            yield chunk

    def close(self) -> None:
        """Give the connection up."""
        self._response.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class OSSObjectClient(OSSPropertyClient):
    """Thread-safe. Every method makes one request and raises the classes of ``exceptions``."""

    def put_stream(
        self, ref: ObjectRef, chunks: Iterator[bytes], content_length: int | None, options: ObjectOptions
    ) -> StoredObject:
        """
        PutObject of what ``chunks`` yields: with Content-Length if it is given, else in chunked transfer encoding.

        Constant memory. What ``chunks`` raises is passed on, and nothing is stored. The result has the size and CRC-64
        of what was sent.
        """
        details = ErrorDetails(ref.bucket, ref.key)
        headers = content_headers(ref, options) | publishing_headers(options) | sending_headers(options)
        if content_length is not None:
            headers["content-length"] = str(content_length)
        body = StreamBody(chunks, content_length)
        try:
            with renamed(details):
                answer = self._api.call("PUT", details, {}, headers, iter(body))
                stored = put_object_answer(answer, options, details, body.size_bytes)
        except SourceFailed as error:
            raise error.cause from None
        compare_crc64(stored.crc64, body.crc64, details)
        return replace(stored, crc64=body.crc64)

    def get_object(
        self,
        ref: ObjectRef,
        byte_range: tuple[int | None, int | None] | None,
        if_match: str | None = None,
        *,
        is_strict: bool = True,
    ) -> ObjectBody:
        """
        GetObject. ``byte_range`` is (first, last), both included; outside the object is an error, not the whole.

        With ``if_match``, an ETag, an object that has another one by now, or is gone, is not read: OSSSourceChanged.
        An answer of another version, or with another range, than was asked for raises OSSBadResponse.
        Without ``is_strict`` a range that is not wholly inside the object means the whole object.
        """
        details = ErrorDetails(ref.bucket, ref.key)
        headers = reading_headers(byte_range, if_match, is_strict=is_strict)
        with renamed(details), nullcontext() if if_match is None else being_there(ref):
            response = self._api.open(details, {}, headers)
            try:
                info = object_info(ref, response.headers)
                if is_strict:
                    check_asked_for(response.status, info, byte_range, if_match)
                return ObjectBody(info, response, details)
            except Exception:
                response.close()
                raise

    def delete_object(self, ref: ObjectRef) -> None:
        """DeleteObject; of a missing object too."""
        self._api.call("DELETE", ErrorDetails(ref.bucket, ref.key), {}, {})

    def delete_objects(self, bucket: str, keys: Sequence[str]) -> list[str]:
        """DeleteMultipleObjects of up to 1000 keys; return those that OSS reports deleted, missing ones too."""
        details = ErrorDetails(bucket)
        body = deletion(keys)
        headers = {"content-md5": content_md5(body)}
        with renamed(details):
            return deleted_keys(self._api.call("POST", details, {"delete": "", **SAFE_IN_XML}, headers, body).body)

    def list_objects(
        self,
        bucket: str,
        prefix: str,
        delimiter: str,
        token: str,
        most: int = _KEYS_PER_PAGE,
        *,
        start_after: str = "",
    ) -> Page[ListedObject]:
        """
        ListObjectsV2, one page of at most so many entries. Common prefixes are in ``prefixes``.

        Without a token the first page begins behind the key ``start_after``.
        """
        details = ErrorDetails(bucket)
        params = {
            "list-type": "2",
            "prefix": prefix,
            "delimiter": delimiter,
            "continuation-token": token,
            "max-keys": str(most),
            **({"start-after": start_after} if start_after else {}),
            **SAFE_IN_XML,
        }
        with renamed(details):
            return objects_page(self._api.call("GET", details, params, {}).body, bucket)

    def sign_url(
        self, ref: ObjectRef, method: str, expires_seconds: int, headers: Mapping[str, str], params: Mapping[str, str]
    ) -> str:
        """Return a presigned URL. Nothing is sent. Raises OSSInvalidArgument for what oss2 refuses."""
        return self.buckets.sign_url(ref, method, expires_seconds, headers, params)
