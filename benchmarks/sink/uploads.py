"""The calls of OSS that an upload makes, on sizes and CRC-64 values alone."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from typing import Final
from xml.sax.saxutils import escape

from benchmarks.sink.checksum import combine
from benchmarks.sink.http import Answer, Request

_PART_NUMBER: Final = re.compile(rb"<PartNumber>\s*(\d+)\s*</PartNumber>")
_FIRST_PART: Final = "/-/first-part"
"""What only this server has: GET answers when the first byte of a part came since the last DELETE, in seconds."""
_LAST_MODIFIED: Final = "2026-01-01T00:00:00.000Z"


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
        return Answer(
            answer.status, answer.headers | {"x-oss-request-id": request_id}, answer.body, answer.content_length
        )

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
        return _error("501 Not Implemented", "NotImplemented")

    def _head(self, request: Request) -> Answer:
        stored = self.objects.get(request.path)
        if stored is None:
            return Answer("404 Not Found")
        return Answer(headers=stored.headers, content_length=stored.size_bytes)

    def _multipart(self, request: Request) -> Answer:
        upload_id = request.query["uploadId"]
        if upload_id not in self.parts:
            return _error("404 Not Found", "NoSuchUpload")
        parts = self.parts[upload_id]
        if request.method == "PUT":
            return self._put_part(request, parts)
        if request.method == "GET":
            return _listed(request, upload_id, parts)
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


def _listed(request: Request, upload_id: str, parts: dict[int, Stored]) -> Answer:
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
