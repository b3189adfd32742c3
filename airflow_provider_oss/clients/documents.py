"""The XML documents of multipart uploads, to values and from them. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final
from urllib.parse import unquote
from xml.etree import ElementTree as ET

from airflow_provider_oss.model import CompletedPart, ListedUpload, ObjectRef, Page, StoredPart

SAFE_IN_XML: Final = {"encoding-type": "url"}
"""Lets OSS escape keys in its answer: XML cannot hold control characters."""


def upload_id_of(document: bytes) -> str:
    """Return what InitiateMultipartUpload answers. Raises ValueError or ParseError when it is no such answer."""
    upload_id = _required(_root(document, "InitiateMultipartUploadResult"), "UploadId")
    if not upload_id:
        raise ValueError("<UploadId> is empty")
    return upload_id


def copied_part_etag(document: bytes) -> str:
    """Return the ETag that UploadPartCopy answers. Raises ValueError or ParseError when it is no such answer."""
    return _required(_root(document, "CopyPartResult"), "ETag").strip('"')


def parts_page(document: bytes, marker: str) -> Page[StoredPart]:
    """Return the page of ListParts that follows ``marker``. Raises ValueError or ParseError when it is no such page."""
    root = _root(document, "ListPartsResult")
    next_marker = _required(root, "NextPartNumberMarker") if _is_truncated(root) else None
    if next_marker == marker:
        raise ValueError(f"the list of parts does not get past part {marker}")
    return Page(tuple(_stored_part(element) for element in root.iterfind("Part")), (), next_marker)


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
    is_escaped = root.findtext("EncodingType") == "url"
    token = None
    if _is_truncated(root):
        token = (_name(root, "NextKeyMarker", is_escaped=is_escaped), _required(root, "NextUploadIdMarker"))
    uploads = (
        ListedUpload(
            ObjectRef(bucket, _name(element, "Key", is_escaped=is_escaped)),
            _required(element, "UploadId"),
            _seconds(_required(element, "Initiated")),
        )
        for element in root.iterfind("Upload")
    )
    return Page(tuple(uploads), (), token)


def tags_of(document: bytes) -> dict[str, str]:
    """Return what GetObjectTagging answers. Raises ValueError or ParseError when it is no such answer."""
    tags = _root(document, "Tagging").iterfind("TagSet/Tag")
    return {_required(tag, "Key"): _required(tag, "Value") for tag in tags}


def check_root(document: bytes, tag: str) -> None:
    """Raise ValueError or ParseError unless it is such a document: some readers take any XML for an empty list."""
    _root(document, tag)


def completion(parts: Iterable[CompletedPart]) -> bytes:
    """Return the body of CompleteMultipartUpload."""
    root = ET.Element("CompleteMultipartUpload")
    for part in sorted(parts, key=lambda part: part.number):
        element = ET.SubElement(root, "Part")
        ET.SubElement(element, "PartNumber").text = str(part.number)
        ET.SubElement(element, "ETag").text = f'"{part.etag}"'
    return ET.tostring(root)


def _root(document: bytes, tag: str) -> ET.Element:
    root = ET.fromstring(document)  # noqa: S314 - expat limits entity expansion
    if root.tag != tag:
        raise ValueError(f"it is a document <{root.tag}>, not <{tag}>")
    return root


def _is_truncated(root: ET.Element) -> bool:
    return _required(root, "IsTruncated") == "true"


def _seconds(time: str) -> int:
    return int(datetime.fromisoformat(time).timestamp())


def _name(element: ET.Element, tag: str, *, is_escaped: bool) -> str:
    text = _required(element, tag)
    return unquote(text) if is_escaped else text


def _required(element: ET.Element, tag: str) -> str:
    text = element.findtext(tag)
    if text is None:
        raise ValueError(f"<{element.tag}> has no <{tag}>")
    return text
