"""The calls of OSS that uploads make, and those that read, on sizes and CRC-64 values alone."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import quote
from xml.sax.saxutils import escape

from benchmarks.sink.checksum import combine
from benchmarks.sink.http import Answer, Request

_PART_NUMBER: Final = re.compile(rb"<PartNumber>\s*(\d+)\s*</PartNumber>")
_RANGE: Final = re.compile(r"bytes=(\d+)-(\d+)")
_FIRST_PART: Final = "/-/first-part"
"""What only this server has: GET answers when the first byte of a part came since the last DELETE, in seconds."""
_LAST_MODIFIED: Final = "2026-01-01T00:00:00.000Z"
_LAST_MODIFIED_HEADER: Final = "Thu, 01 Jan 2026 00:00:00 GMT"


@dataclass(frozen=True, slots=True)
class Stored:
    """All that is left of a part or an object."""

    size_bytes: int
    crc64: int

    @property
    def etag(self) -> str:
        """32 hexadecimal digits made from CRC-64 and size, in quotes; not the MD5 that OSS would answer."""
        return f'"{self.crc64:016X}{self.size_bytes:016X}"'

    @property
    def headers(self) -> dict[str, str]:
        """What OSS says about it in an answer."""
        return {"ETag": self.etag, "x-oss-hash-crc64ecma": str(self.crc64)}

    @property
    def described(self) -> dict[str, str]:
        """What OSS says about an object to whom reads it."""
        return self.headers | {"Last-Modified": _LAST_MODIFIED_HEADER, "x-oss-object-type": "Normal"}


@dataclass(slots=True)
class Uploads:
    """What has been uploaded, and what is being uploaded, by URL path: ``/bucket/key``."""

    objects: dict[str, Stored] = field(default_factory=dict)
    parts: dict[str, dict[int, Stored]] = field(default_factory=dict)
    first_part_seconds: float | None = None
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def answer(self, request: Request) -> Answer:
        """Do what is asked and say so."""
        if request.path == _FIRST_PART:
            return self._first_part(request)
        answer = self._multipart(request) if "uploadId" in request.query else self._object(request)
        request_id = f"{next(self._numbers):024X}"
        return replace(answer, headers=answer.headers | {"x-oss-request-id": request_id})

    def _first_part(self, request: Request) -> Answer:
        if request.method == "DELETE":
            self.first_part_seconds = None
            return Answer("204 No Content")
        if self.first_part_seconds is None:
            return Answer("404 Not Found")
        return Answer(body=repr(self.first_part_seconds).encode())

    def _object(self, request: Request) -> Answer:
        if request.method == "POST" and "uploads" in request.query:
            upload_id = f"{next(self._numbers):032X}"
            self.parts[upload_id] = {}
            return _xml("InitiateMultipartUploadResult", _names(request.path), UploadId=upload_id)
        if request.method == "PUT":
            self.objects[request.path] = Stored(request.size_bytes, request.crc64)
            return Answer(headers=self.objects[request.path].headers)
        if request.method == "HEAD":
            return self._head(request)
        if request.method == "GET":
            is_bucket = "/" not in request.path.strip("/")
            return self._objects_page(request) if is_bucket else self._get(request)
        return _error("501 Not Implemented", "NotImplemented")

    def _head(self, request: Request) -> Answer:
        stored = self.objects.get(request.path)
        if stored is None:
            return Answer("404 Not Found")
        return Answer(headers=stored.described, content_length=stored.size_bytes)

    def _get(self, request: Request) -> Answer:
        """Answer zeros, as many as were asked for: only what was zeros arrives right."""
        stored = self.objects.get(request.path)
        if stored is None:
            return _error("404 Not Found", "NoSuchKey")
        wanted = _RANGE.fullmatch(request.range)
        if wanted is None or int(wanted[2]) >= stored.size_bytes:  # which OSS takes for the whole, unless told not to
            return Answer(headers=stored.described, zeros=stored.size_bytes)
        first, last = int(wanted[1]), int(wanted[2])
        headers = stored.described | {"Content-Range": f"bytes {first}-{last}/{stored.size_bytes}"}
        return Answer("206 Partial Content", headers, zeros=last - first + 1)

    def _objects_page(self, request: Request) -> Answer:
        """Answer a page of ListObjects, of either version, without delimiter."""
        bucket = request.path.rstrip("/") + "/"
        after = request.query.get("continuation-token", "") or request.query.get("marker", "")
        prefix = bucket + request.query.get("prefix", "")
        paths = sorted(path for path in self.objects if path.startswith(prefix) and path.removeprefix(bucket) > after)
        shown = paths[: int(request.query.get("max-keys") or 100)]
        elements = "".join(_content(path.removeprefix(bucket), self.objects[path]) for path in shown)
        is_truncated = len(shown) < len(paths)
        last = quote(shown[-1].removeprefix(bucket)) if is_truncated else ""
        more = {"NextContinuationToken": last, "NextMarker": last} if is_truncated else {}
        return _xml(
            "ListBucketResult",
            {"Name": bucket.strip("/"), "EncodingType": "url"},
            elements,
            IsTruncated=str(is_truncated).lower(),
            **more,
        )

    def _multipart(self, request: Request) -> Answer:
        upload_id = request.query["uploadId"]
        if upload_id not in self.parts:
            return _error("404 Not Found", "NoSuchUpload")
        parts = self.parts[upload_id]
        if request.method == "PUT":
            return self._put_part(request, parts)
        if request.method == "GET":
            return _parts_page(request, upload_id, parts)
        if request.method == "DELETE" and "partNumber" in request.query:  # which OSS does not have
            del parts[int(request.query["partNumber"])]
            return Answer("204 No Content")
        del self.parts[upload_id]
        if request.method == "DELETE":
            return Answer("204 No Content")
        return self._complete(request, parts)

    def _put_part(self, request: Request, parts: dict[int, Stored]) -> Answer:
        began = request.began_seconds
        self.first_part_seconds = began if self.first_part_seconds is None else min(began, self.first_part_seconds)
        part = Stored(request.size_bytes, request.crc64)
        parts[int(request.query["partNumber"])] = part
        return Answer(headers=part.headers)

    def _complete(self, request: Request, parts: dict[int, Stored]) -> Answer:
        size_bytes = crc = 0
        for number in map(int, _PART_NUMBER.findall(request.text)):
            crc = combine(crc, parts[number].crc64, parts[number].size_bytes)
            size_bytes += parts[number].size_bytes
        stored = self.objects[request.path] = Stored(size_bytes, crc)
        answer = _xml("CompleteMultipartUploadResult", _names(request.path), ETag=stored.etag)
        return Answer(headers=stored.headers | answer.headers, body=answer.body)


def _names(path: str) -> dict[str, str]:
    bucket, _, key = path.removeprefix("/").partition("/")
    return {"Bucket": bucket, "Key": key}


def _content(key: str, stored: Stored) -> str:
    return (
        f"<Contents><Key>{quote(key)}</Key><LastModified>{_LAST_MODIFIED}</LastModified>"
        f"<ETag>{escape(stored.etag)}</ETag><Type>Normal</Type><Size>{stored.size_bytes}</Size>"
        "<StorageClass>Standard</StorageClass></Contents>"
    )


def _parts_page(request: Request, upload_id: str, parts: dict[int, Stored]) -> Answer:
    marker = int(request.query.get("part-number-marker") or 0)
    count = int(request.query.get("max-parts") or 1000)
    numbers = sorted(number for number in parts if number > marker)
    shown = numbers[:count]
    elements = "".join(
        f"<Part><PartNumber>{number}</PartNumber><LastModified>{_LAST_MODIFIED}</LastModified>"
        f"<ETag>{escape(parts[number].etag)}</ETag><HashCrc64ecma>{parts[number].crc64}</HashCrc64ecma>"
        f"<Size>{parts[number].size_bytes}</Size></Part>"
        for number in shown
    )
    return _xml(
        "ListPartsResult",
        _names(request.path),
        elements,
        UploadId=upload_id,
        PartNumberMarker=str(marker),
        NextPartNumberMarker=str(shown[-1] if shown else marker),
        MaxParts=str(count),
        IsTruncated="true" if len(shown) < len(numbers) else "false",
    )


def _error(status: str, code: str) -> Answer:
    answer = _xml("Error", {}, Code=code, Message=code, RequestId="0" * 24, HostId="sink")
    return Answer(status, answer.headers, answer.body)


def _xml(root: str, names: dict[str, str], elements: str = "", **more: str) -> Answer:
    texts = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in (names | more).items())
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<{root}>{texts}{elements}</{root}>'
    return Answer(headers={"Content-Type": "application/xml"}, body=body.encode())
