"""The whole client: the upload engine's calls, streams, and by oss2 what reads, copies, deletes, lists and presigns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Self

from airflow_provider_oss.clients.answers import compare_crc64, stored_object
from airflow_provider_oss.clients.documents import check_root
from airflow_provider_oss.clients.errors import renamed
from airflow_provider_oss.clients.headers import (
    content_headers,
    object_info,
    publishing_headers,
    reading_headers,
    sending_headers,
)
from airflow_provider_oss.clients.property_client import OSSPropertyClient
from airflow_provider_oss.clients.session import Response
from airflow_provider_oss.clients.streams import SourceFailedError, StreamBody
from airflow_provider_oss.clients.upload_client import being_there
from airflow_provider_oss.exceptions import ErrorDetails
from airflow_provider_oss.model import (
    ListedObject,
    ObjectInfo,
    ObjectOptions,
    ObjectRef,
    Page,
    StoredObject,
)

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

    def readinto(self, buffer: memoryview) -> int:
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
                stored = stored_object(answer, options, details, body.size_bytes)
        except SourceFailedError as error:
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
        Without ``is_strict`` a range that is not wholly inside the object means the whole object.
        """
        details = ErrorDetails(ref.bucket, ref.key)
        headers = reading_headers(byte_range, if_match, is_strict=is_strict)
        with renamed(details), nullcontext() if if_match is None else being_there(ref):
            response = self._api.open(details, {}, headers)
            try:
                return ObjectBody(object_info(ref, response.headers), response, details)
            except Exception:
                response.close()
                raise

    def delete_object(self, ref: ObjectRef) -> None:
        """DeleteObject; of a missing object too."""
        with self._by_oss2(ref):
            self.buckets.get(ref.bucket).delete_object(ref.key)

    def delete_objects(self, bucket: str, keys: Sequence[str]) -> list[str]:
        """DeleteMultipleObjects of up to 1000 keys; return those that OSS reports deleted, missing ones too."""
        with self._by_oss2(bucket=bucket):
            result = self.buckets.get(bucket).batch_delete_objects(list(keys))
            check_root(result.resp.document, "DeleteResult")
            return list(result.deleted_keys)

    def list_objects(
        self, bucket: str, prefix: str, delimiter: str, token: str, most: int = _KEYS_PER_PAGE
    ) -> Page[ListedObject]:
        """ListObjectsV2, one page of at most so many entries. Common prefixes are in ``prefixes``."""
        with self._by_oss2(bucket=bucket):
            result = self.buckets.get(bucket).list_objects_v2(
                prefix=prefix, delimiter=delimiter, continuation_token=token, max_keys=most
            )
            check_root(result.resp.document, "ListBucketResult")
            return Page(
                items=tuple(
                    ListedObject(
                        ObjectRef(bucket, item.key), item.size, item.etag, item.last_modified, item.storage_class
                    )
                    for item in result.object_list
                ),
                prefixes=tuple(result.prefix_list),
                next_token=result.next_continuation_token if result.is_truncated else None,
            )

    def sign_url(
        self, ref: ObjectRef, method: str, expires_seconds: int, headers: Mapping[str, str], params: Mapping[str, str]
    ) -> str:
        """Return a presigned URL. Nothing is sent."""
        with self._by_oss2(ref):
            bucket = self.buckets.get(ref.bucket)
            # slash_safe: other tools show and split the URL; it makes no difference to the signature
            url = bucket.sign_url(
                method, ref.key, expires_seconds, headers=dict(headers), params=dict(params), slash_safe=True
            )
            return str(url)
