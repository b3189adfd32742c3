"""The ObjectClient of the upload engine, over oss2. One request a call, nothing repeated, every checksum compared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final
from xml.etree import ElementTree as ET

from airflow_provider_oss.clients.answers import compare_crc64, stored_object
from airflow_provider_oss.clients.buckets import Buckets
from airflow_provider_oss.clients.errors import renamed
from airflow_provider_oss.clients.headers import (
    content_headers,
    crc64_of,
    object_info,
    publishing_headers,
    sending_headers,
)
from airflow_provider_oss.exceptions import ErrorDetails, OSSBadResponse, OSSChecksumMismatch
from airflow_provider_oss.model import (
    CompletedPart,
    ListedUpload,
    ObjectInfo,
    ObjectOptions,
    ObjectRef,
    Page,
    StoredObject,
    StoredPart,
)
from airflow_provider_oss.ports import Body
from airflow_provider_oss.verify import content_md5, proven_etag

_SAFE_IN_XML: Final = {"encoding-type": "url"}
"""Lets OSS escape the key in its answer: XML cannot hold control characters."""


class OSS2UploadClient:
    """Implements ``ports.ObjectClient``. Thread-safe."""

    def __init__(self, buckets: Buckets) -> None:
        self._buckets = buckets

    def put_object(self, ref: ObjectRef, body: Body, crc64: int, options: ObjectOptions) -> StoredObject:
        """PutObject."""
        details = ErrorDetails(ref.bucket, ref.key)
        headers = content_headers(ref, options) | publishing_headers(options) | sending_headers(options)
        headers["content-md5"] = content_md5(body)  # a damaged object must not appear, not even until it is repeated
        with renamed(details, self._buckets.clock):
            result = self._buckets.get(ref.bucket).put_object(ref.key, body, headers=headers)
            stored = stored_object(result, options, details, len(body))
        compare_crc64(stored.crc64, crc64, details)
        return stored

    def head_object(self, ref: ObjectRef) -> ObjectInfo:
        """HeadObject."""
        with renamed(ErrorDetails(ref.bucket, ref.key), self._buckets.clock):
            return object_info(ref, self._buckets.get(ref.bucket).head_object(ref.key).headers)

    def initiate_multipart_upload(self, ref: ObjectRef, options: ObjectOptions) -> str:
        """InitiateMultipartUpload."""
        with renamed(ErrorDetails(ref.bucket, ref.key), self._buckets.clock):
            result = self._buckets.get(ref.bucket).init_multipart_upload(
                ref.key, headers=content_headers(ref, options), params=dict(_SAFE_IN_XML)
            )
            if not result.upload_id:
                raise ValueError("<UploadId> is empty")
        return str(result.upload_id)

    def upload_part(
        self, ref: ObjectRef, upload_id: str, part_number: int, body: Body, crc64: int, options: ObjectOptions
    ) -> CompletedPart:
        """UploadPart."""
        details = ErrorDetails(ref.bucket, ref.key, upload_id, part_number)
        with renamed(details, self._buckets.clock):
            headers = (
                self._buckets.get(ref.bucket)
                .upload_part(ref.key, upload_id, part_number, body, headers=sending_headers(options))
                .headers
            )
            stored = StoredPart(part_number, len(body), headers.get("etag", "").strip('"'), crc64_of(headers))
        etag = proven_etag(stored, memoryview(body), crc64)
        if not etag:
            raise OSSChecksumMismatch(
                f"OSS received another part than was sent: CRC-64 {stored.crc64}, ETag {stored.etag} for {crc64}",
                details,
            )
        return CompletedPart(part_number, stored.size_bytes, etag, crc64)

    def list_parts(self, ref: ObjectRef, upload_id: str) -> tuple[StoredPart, ...]:
        """ListParts, all pages."""
        return tuple(self._listed_parts(ref, upload_id))

    def _listed_parts(self, ref: ObjectRef, upload_id: str) -> Iterator[StoredPart]:
        marker: str | None = ""
        while marker is not None:
            params = {"uploadId": upload_id, "max-parts": "1000", "part-number-marker": marker, **_SAFE_IN_XML}
            with renamed(ErrorDetails(ref.bucket, ref.key, upload_id), self._buckets.clock):
                # oss2's list_parts drops HashCrc64ecma, the one field that proves what a part holds: hence _do
                answer = self._buckets.get(ref.bucket)._do("GET", ref.bucket, ref.key, params=params)  # noqa: SLF001
                root = ET.fromstring(answer.read())  # noqa: S314 - expat limits entity expansion
                parts = [_listed_part(element) for element in root.iterfind("Part")]
                next_marker = _next_marker(root, marker)
            yield from parts
            marker = next_marker

    def complete_multipart_upload(
        self, ref: ObjectRef, upload_id: str, parts: Iterable[CompletedPart], options: ObjectOptions
    ) -> StoredObject:
        """CompleteMultipartUpload. The whole object's CRC-64 is in the answer, for the caller to compare."""
        from oss2.models import PartInfo
        from oss2.xml_utils import to_complete_upload_request

        details = ErrorDetails(ref.bucket, ref.key, upload_id)
        listed = sorted((PartInfo(part.number, part.etag) for part in parts), key=lambda part: part.part_number)
        headers = publishing_headers(options) | {"content-md5": content_md5(to_complete_upload_request(listed))}
        with renamed(details, self._buckets.clock):
            result = self._buckets.get(ref.bucket).complete_multipart_upload(
                ref.key, upload_id, listed, headers=headers
            )
            return stored_object(result, options, details)

    def list_multipart_uploads(self, bucket: str, prefix: str, token: tuple[str, str]) -> Page[ListedUpload]:
        """ListMultipartUploads, one page. The token is (key marker, upload id marker)."""
        with renamed(ErrorDetails(bucket), self._buckets.clock):
            result = self._buckets.get(bucket).list_multipart_uploads(
                prefix=prefix, key_marker=token[0], upload_id_marker=token[1], max_uploads=1000
            )
            return Page(
                items=tuple(
                    ListedUpload(ObjectRef(bucket, item.key), item.upload_id, item.initiation_date)
                    for item in result.upload_list
                ),
                prefixes=(),
                next_token=(result.next_key_marker, result.next_upload_id_marker) if result.is_truncated else None,
            )

    def list_uploads(self, ref: ObjectRef) -> tuple[ListedUpload, ...]:
        """ListMultipartUploads of one key, all pages."""
        return tuple(self._listed_uploads(ref))

    def _listed_uploads(self, ref: ObjectRef) -> Iterator[ListedUpload]:
        token: Any = ("", "")
        while token is not None:
            page = self.list_multipart_uploads(ref.bucket, ref.key, token)
            yield from (upload for upload in page.items if upload.ref == ref)
            token = page.next_token

    def abort_multipart_upload(self, ref: ObjectRef, upload_id: str) -> None:
        """AbortMultipartUpload."""
        with renamed(ErrorDetails(ref.bucket, ref.key, upload_id), self._buckets.clock):
            self._buckets.get(ref.bucket).abort_multipart_upload(ref.key, upload_id)


def _listed_part(element: ET.Element) -> StoredPart:
    crc64 = element.findtext("HashCrc64ecma")
    return StoredPart(
        number=int(_required(element, "PartNumber")),
        size_bytes=int(_required(element, "Size")),
        etag=_required(element, "ETag").strip('"'),
        crc64=None if crc64 is None else int(crc64),
    )


def _next_marker(root: ET.Element, marker: str) -> str | None:
    if _required(root, "IsTruncated") != "true":
        return None
    following = _required(root, "NextPartNumberMarker")
    if following == marker:
        raise OSSBadResponse(f"the list of parts does not get past part {marker}")
    return following


def _required(element: ET.Element, name: str) -> str:
    text = element.findtext(name)
    if text is None:
        raise ValueError(f"<{element.tag}> has no <{name}>")
    return text
