"""Headers and XML documents of OSS's API: values to requests, and answers to values. Pure."""

from __future__ import annotations

import base64
import json
import mimetypes
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote, unquote
from xml.etree import ElementTree as ET

from airflow_provider_oss.exceptions import ErrorDetails, OSSCallbackFailed, OSSChecksumMismatch, OSSInvalidArgument
from airflow_provider_oss.model import (
    BucketInfo,
    BucketProperties,
    Callback,
    CompletedPart,
    ListedObject,
    ListedUpload,
    ObjectInfo,
    ObjectOptions,
    ObjectRange,
    ObjectRef,
    Page,
    StoredObject,
    StoredPart,
)
from airflow_provider_oss.options import headers_of
from airflow_provider_oss.proof import differ
from airflow_provider_oss.shown import shortened

META_PREFIX = "x-oss-meta-"


def content_headers(ref: ObjectRef, options: ObjectOptions) -> dict[str, str]:
    """Return what is stored with the object: for PutObject and InitiateMultipartUpload."""
    headers = {"content-type": _guessed_type(ref.key)} | headers_of(options)
    if options.forbid_overwrite:
        headers["x-oss-forbid-overwrite"] = "true"
    return headers


def publishing_headers(options: ObjectOptions) -> dict[str, str]:
    """Return what takes effect when the object appears: for PutObject and CompleteMultipartUpload."""
    headers = {}
    if options.acl is not None:
        headers["x-oss-object-acl"] = options.acl
    if options.forbid_overwrite:
        headers["x-oss-forbid-overwrite"] = "true"
    if options.callback is not None:
        headers.update(_callback_headers(options.callback))
    return headers


def sending_headers(options: ObjectOptions) -> dict[str, str]:
    """Return what governs the sending of a body: for PutObject and UploadPart."""
    bits = options.traffic_limit_bits
    return {} if bits is None else {"x-oss-traffic-limit": str(bits)}


def reading_headers(
    byte_range: tuple[int | None, int | None] | None, if_match: str | None, *, is_strict: bool
) -> dict[str, str]:
    """Return what says which bytes of which version are wanted: for GetObject. (None, n) are the last n bytes."""
    headers = {}
    if byte_range is not None:
        first, last = _checked_range(byte_range)
        headers["range"] = f"bytes={'' if first is None else first}-{'' if last is None else last}"
        if is_strict:
            headers["x-oss-range-behavior"] = "standard"
    if if_match is not None:
        headers["if-match"] = f'"{if_match}"'
    return headers


def _checked_range(byte_range: Any) -> tuple[int | None, int | None]:
    try:
        first, last = byte_range
    except (TypeError, ValueError):
        first = last = None
    known = [end for end in (first, last) if end is not None]
    is_right = known and all(isinstance(end, int) and not isinstance(end, bool) and end >= 0 for end in known)
    if is_right and len(known) == 2:  # noqa: PLR2004 - first and last
        is_right = first <= last
    if not is_right:
        raise OSSInvalidArgument(
            f"byte_range={byte_range!r} is none: give (first, last), both included; None as first for the last bytes, "
            "None as last for all from the first on"
        )
    return first, last


def copy_source_headers(source: ObjectRange) -> dict[str, str]:
    """Return what names the source of a copy and the only version of it that may be copied."""
    return {
        "x-oss-copy-source": f"/{source.ref.bucket}/{quote(source.ref.key)}",
        "x-oss-copy-source-if-match": f'"{source.etag}"',
    }


def _guessed_type(key: str) -> str:
    return mimetypes.guess_type(key)[0] or "application/octet-stream"


def _callback_headers(callback: Callback) -> dict[str, str]:
    rule = {
        "callbackUrl": callback.url,
        "callbackBody": callback.body,
        "callbackBodyType": callback.content_type,
    }
    if callback.host is not None:
        rule["callbackHost"] = callback.host
    headers = {"x-oss-callback": _base64_json(rule)}
    if callback.custom_value:
        variables = {f"x:{name.removeprefix('x:')}": value for name, value in callback.custom_value.items()}
        headers["x-oss-callback-var"] = _base64_json(variables)
    return headers


def _base64_json(value: Mapping[str, str]) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()


def crc64_of(headers: Mapping[str, str]) -> int | None:
    """Return the CRC-64 that OSS sends with an object or a part, if it does."""
    value = headers.get("x-oss-hash-crc64ecma")
    return None if value is None else int(value)


def object_info(ref: ObjectRef, headers: Mapping[str, str]) -> ObjectInfo:
    """Return what an answer to HeadObject or GetObject says: of a range, the size is the range's."""
    plain = dict(headers)
    return ObjectInfo(
        ref=ref,
        size_bytes=int(plain["content-length"]),
        etag=plain.get("etag", "").strip('"'),
        crc64=crc64_of(plain),
        content_type=plain.get("content-type"),
        last_modified=plain.get("last-modified"),
        object_type=plain.get("x-oss-object-type"),
        storage_class=plain.get("x-oss-storage-class"),
        version_id=plain.get("x-oss-version-id"),
        meta={name.removeprefix(META_PREFIX): value for name, value in plain.items() if name.startswith(META_PREFIX)},
        headers=plain,
    )


_CALLBACK_FAILED_STATUS: Final = 203
_CONTENT_RANGE: Final = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that has been read to its end."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


def stored_object(answer: Answer, options: ObjectOptions, details: ErrorDetails) -> StoredObject:
    """
    Return what the answer to PutObject or CompleteMultipartUpload says.

    With a callback the answer's body is the application's answer, or the reason why there is none: OSSCallbackFailed.
    """
    response = None
    if options.callback is not None:
        if answer.status == _CALLBACK_FAILED_STATUS:
            raise OSSCallbackFailed(
                f"the object is stored, but the callback to {options.callback.url} failed: {_message_of(answer.body)}",
                details,
            )
        response = _json_or_text(answer.body)
    headers = answer.headers
    return StoredObject(
        etag=headers.get("etag", "").strip('"'),
        crc64=crc64_of(headers),
        version_id=headers.get("x-oss-version-id"),
        request_id=headers.get("x-oss-request-id"),
        callback_response=response,
    )


def put_object_answer(answer: Answer, options: ObjectOptions, details: ErrorDetails, size_bytes: int) -> StoredObject:
    """Return what the answer to PutObject says. Raises ValueError for one without an ETag, which OSS always gives."""
    return replace(stored_object(answer, options, details), etag=etag_of(answer.headers), size_bytes=size_bytes)


def etag_of(headers: Mapping[str, str]) -> str:
    """Return the ETag of what was written. Raises ValueError where there is none: nothing is known to be stored."""
    etag = headers.get("etag", "").strip('"')
    if not etag:
        raise ValueError("it says nothing of what was stored: it has no ETag")
    return etag


def compare_crc64(received: int | None, sent: int, details: ErrorDetails) -> None:
    """Raise OSSChecksumMismatch when OSS returned a CRC-64 and it is not that of what was sent."""
    if differ(received, sent):
        raise OSSChecksumMismatch(f"OSS received other bytes than were sent: CRC-64 {received} for {sent}", details)


def check_asked_for(
    status: int, info: ObjectInfo, byte_range: tuple[int | None, int | None] | None, if_match: str | None
) -> None:
    """
    Raise ValueError unless the answer is about the version, and has exactly the range, that was asked for.

    An answer to something else, left over on a connection or given by a cache on the way, is known by that.
    """
    if if_match is not None and info.etag != if_match:
        raise ValueError(f"it is about the ETag {info.etag!r}, asked for was {if_match!r}")
    if byte_range is None:
        is_right = status == HTTPStatus.OK
    else:
        is_right = status == HTTPStatus.PARTIAL_CONTENT and _is_range(info, *byte_range)
    if not is_right:
        raise ValueError(
            f"HTTP status {status} with {info.size_bytes} bytes, {info.headers.get('content-range')}, is not the range "
            f"{byte_range} that was asked for"
        )


def _is_range(info: ObjectInfo, first: int | None, last: int | None) -> bool:
    found = _CONTENT_RANGE.fullmatch(info.headers.get("content-range", ""))
    if found is None:
        return False
    begin, end, total = map(int, found.groups())
    if first is None:
        wanted = (max(0, total - (last or 0)), total - 1)
    else:
        wanted = (first, total - 1 if last is None else min(last, total - 1))
    return (begin, end) == wanted and info.size_bytes == end - begin + 1


def _message_of(body: bytes) -> str:
    return shortened(ET.fromstring(body).findtext("Message") or "no reason given")  # noqa: S314 - expat limits entity expansion


def _json_or_text(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace")


SAFE_IN_XML: Final = {"encoding-type": "url"}
"""Lets OSS escape keys in its answer: XML cannot hold control characters."""


_UPLOAD_ID: Final = re.compile("[A-Za-z0-9_-]{1,128}")
"""What a checkpoint takes: with any other id its upload would be forgotten."""


def upload_id_of(document: bytes) -> str:
    """Return what InitiateMultipartUpload answers. Raises ValueError or ParseError when it is no such answer."""
    upload_id = _required(_root(document, "InitiateMultipartUploadResult"), "UploadId")
    if not _UPLOAD_ID.fullmatch(upload_id):
        raise ValueError(f"<UploadId> is {shortened(upload_id)!r}, which is no upload id")
    return upload_id


def copied_part_etag(document: bytes) -> str:
    """Return the ETag that UploadPartCopy answers. Raises ValueError or ParseError when it is no such answer."""
    return _required(_root(document, "CopyPartResult"), "ETag").strip('"')


def parts_page(document: bytes) -> Page[StoredPart]:
    """Return a page of ListParts. Raises ValueError or ParseError when it is no such page."""
    root = _root(document, "ListPartsResult")
    parts = tuple(_stored_part(element) for element in root.iterfind("Part"))
    return Page(parts, (), _next(root, "NextPartNumberMarker"), max((part.number for part in parts), default=None))


def _stored_part(element: ET.Element) -> StoredPart:
    crc64, stored_at = element.findtext("HashCrc64ecma"), element.findtext("LastModified")
    return StoredPart(
        number=int(_required(element, "PartNumber")),
        size_bytes=int(_required(element, "Size")),
        etag=_required(element, "ETag").strip('"'),
        crc64=None if crc64 is None else int(crc64),
        stored_at=None if stored_at is None else _seconds(stored_at),
    )


def uploads_page(document: bytes, bucket: str) -> Page[ListedUpload]:
    """
    Return a page of ListMultipartUploads; its token is (key marker, upload id marker).

    Raises ValueError or ParseError when it is no such page.
    """
    root = _root(document, "ListMultipartUploadsResult")
    name = _decoder(root)
    key_marker = _next(root, "NextKeyMarker")
    uploads = tuple(
        ListedUpload(
            ObjectRef(bucket, name(_required(element, "Key"))),
            _required(element, "UploadId"),
            _seconds(_required(element, "Initiated")),
        )
        for element in root.iterfind("Upload")
    )
    return Page(
        uploads,
        (),
        None if key_marker is None else (name(key_marker), _required(root, "NextUploadIdMarker")),
        max(((upload.ref.key, upload.upload_id) for upload in uploads), default=None),
    )


def objects_page(document: bytes, bucket: str) -> Page[ListedObject]:
    """Return a page of ListObjectsV2. Raises ValueError or ParseError when it is no such page."""
    root = _root(document, "ListBucketResult")
    name = _decoder(root)
    token = _next(root, "NextContinuationToken")
    objects = tuple(
        ListedObject(
            ObjectRef(bucket, name(_required(element, "Key"))),
            int(_required(element, "Size")),
            _required(element, "ETag").strip('"'),
            _seconds(_required(element, "LastModified")),
            element.findtext("StorageClass"),
        )
        for element in root.iterfind("Contents")
    )
    prefixes = tuple(name(_required(element, "Prefix")) for element in root.iterfind("CommonPrefixes"))
    return Page(
        objects,
        prefixes,
        None if token is None else name(token),
        max((*(item.ref.key for item in objects), *prefixes), default=None),
    )


def buckets_page(document: bytes) -> Page[str]:
    """Return a page of ListBuckets. Raises ValueError or ParseError when it is no such page."""
    root = _root(document, "ListAllMyBucketsResult")
    names = tuple(_required(element, "Name") for element in root.iterfind("Buckets/Bucket"))
    # OSS leaves IsTruncated out of the list of an account that has few
    next_marker = None if root.find("IsTruncated") is None else _next(root, "NextMarker")
    return Page(names, (), next_marker, max(names, default=None))


def deleted_keys(document: bytes) -> list[str]:
    """Return what DeleteMultipleObjects reports. Raises ValueError or ParseError when it is no such report."""
    root = _root(document, "DeleteResult")
    name = _decoder(root)
    return [name(_required(element, "Key")) for element in root.iterfind("Deleted")]


def tags_of(document: bytes) -> dict[str, str]:
    """Return what GetObjectTagging answers. Raises ValueError or ParseError when it is no such answer."""
    tags = _root(document, "Tagging").iterfind("TagSet/Tag")
    return {_required(tag, "Key"): _required(tag, "Value") for tag in tags}


def bucket_info_of(document: bytes) -> BucketInfo:
    """Return what GetBucketInfo answers. Raises ValueError or ParseError when it is no such answer."""
    root = _root(document, "BucketInfo")
    acl, storage_class = _required(root, "Bucket/AccessControlList/Grant"), _required(root, "Bucket/StorageClass")
    properties = BucketProperties(acl, storage_class, root.findtext("Bucket/DataRedundancyType"))
    return BucketInfo(_required(root, "Bucket/Name"), _required(root, "Bucket/Location"), properties)


def check_root(document: bytes, tag: str) -> None:
    """Raise ValueError or ParseError unless it is such a document: some readers take any XML for an empty list."""
    _root(document, tag)


def completion(parts: Iterable[CompletedPart]) -> bytes:
    """Return the body of CompleteMultipartUpload."""
    root = ET.Element("CompleteMultipartUpload")
    for part in sorted(parts, key=lambda part: part.number):
        _add(root, "Part", PartNumber=str(part.number), ETag=f'"{part.etag}"')
    return _written(root)


def deletion(keys: Iterable[str]) -> bytes:
    """Return the body of DeleteMultipleObjects, which asks for a report."""
    root = ET.Element("Delete")
    ET.SubElement(root, "Quiet").text = "false"
    for key in keys:
        _add(root, "Object", Key=key)
    return _written(root)


def bucket_configuration(properties: BucketProperties) -> bytes | None:
    """Return the body of PutBucket, without what OSS is to choose; None when it chooses all."""
    texts = {"StorageClass": properties.storage_class, "DataRedundancyType": properties.redundancy}
    root = ET.Element("CreateBucketConfiguration")
    for name, text in texts.items():
        if text is not None:
            ET.SubElement(root, name).text = text
    return _written(root) if len(root) else None


def tagging(tags: Mapping[str, str]) -> bytes:
    """Return the body of PutObjectTagging."""
    root = ET.Element("Tagging")
    tag_set = ET.SubElement(root, "TagSet")
    for name, value in tags.items():
        _add(tag_set, "Tag", Key=name, Value=value)
    return _written(root)


def _written(root: ET.Element) -> bytes:
    return bytes(ET.tostring(root, "utf-8"))


def _add(parent: ET.Element, tag: str, **texts: str) -> None:
    element = ET.SubElement(parent, tag)
    for name, text in texts.items():
        ET.SubElement(element, name).text = text


def _root(document: bytes, tag: str) -> ET.Element:
    root = ET.fromstring(document)  # noqa: S314 - expat limits entity expansion
    if root.tag != tag:
        raise ValueError(f"it is a document <{root.tag}>, not <{tag}>")
    return root


def _next(root: ET.Element, tag: str) -> str | None:
    """Return the marker of the next page; None where there is none."""
    is_truncated = _required(root, "IsTruncated")
    if is_truncated == "false":
        return None
    if is_truncated != "true" or not root.findtext(tag):
        raise ValueError(f"<IsTruncated> is {is_truncated!r}, and <{tag}> {root.findtext(tag)!r}")
    return root.findtext(tag)


def _decoder(root: ET.Element) -> Callable[[str], str]:
    """Return what makes names of the texts in the document."""
    return unquote if root.findtext("EncodingType") == "url" else str


def _seconds(time: str) -> int:
    return int(datetime.fromisoformat(time).timestamp())


def _required(element: ET.Element, tag: str) -> str:
    text = element.findtext(tag)
    if text is None:
        raise ValueError(f"<{element.tag}> has no <{tag}>")
    return text
