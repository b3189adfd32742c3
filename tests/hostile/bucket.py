"""What the bucket behind the hostile server holds, and the right answer to each request."""

from __future__ import annotations

import hashlib
import random
import re
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from fastcrc import crc64 as fast

from tests.hostile.server import Request

BUCKET: Final = "exports"
KEY: Final = "object.bin"
BIG_KEY: Final = "big.bin"
OTHER_KEY: Final = "other.bin"
UPLOAD_ID: Final = "UPLOAD1"
SMALL: Final = b"forty-one bytes that are stored in a part"
BIG: Final = random.Random(14).randbytes(16 * 1024 * 1024)
"""More than the kernel takes of a body that nobody reads."""
MEDIUM_KEY: Final = "medium.bin"
MEDIUM: Final = BIG[: 1024 * 1024]
FIRST, LAST = 3, 12

_OBJECTS: Final = {
    KEY: b"the bytes that were asked for, and no others",
    OTHER_KEY: b"the bytes of another object: of the same size",
}
_STORED: Final = {BIG_KEY: BIG, MEDIUM_KEY: MEDIUM}
"""What is stored under these keys; under every other, ``SMALL`` is."""
_ID: Final = "R1"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, taken to pieces so that it can be put together wrongly."""

    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    status: int = 200
    reason: str = "OK"
    version: str = "HTTP/1.1"

    def having(self, name: str, value: str) -> Answer:
        """Return it with this header instead of those of this name."""
        return replace(self, headers=(*self.without(name).headers, (name, value)))

    def adding(self, name: str, value: str) -> Answer:
        """Return it with this header more."""
        return replace(self, headers=(*self.headers, (name, value)))

    def without(self, *names: str) -> Answer:
        """Return it without headers of these names."""
        return replace(self, headers=tuple(pair for pair in self.headers if pair[0] not in names))

    @property
    def head(self) -> bytes:
        """Status line and headers, with the empty line."""
        lines = [f"{self.version} {self.status} {self.reason}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        return "\r\n".join((*lines, "", "")).encode("latin-1")

    @property
    def raw(self) -> bytes:
        """All of it."""
        return self.head + self.body


def content(key: str) -> bytes:
    """Return an object's bytes. Those whose keys begin with "witness" are all different."""
    return _OBJECTS.get(key) or f"what {key} says, and nothing else".encode()


@cache
def etag(data: bytes) -> str:
    """Return the ETag of these bytes."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest().upper()


@cache
def crc64(data: bytes) -> int:
    """Return the CRC-64 of these bytes."""
    return fast.xz(data, 0)


def right_answer(request: Request) -> Answer:
    """Return what OSS would answer."""
    match request.method:
        case "GET":
            return _found(request)
        case "HEAD":
            return replace(described(request.key), body=b"")
        case "POST" if "uploads" in request.params:
            return _document(
                "<InitiateMultipartUploadResult>"
                f"<Bucket>{BUCKET}</Bucket><Key>{request.key}</Key><UploadId>{UPLOAD_ID}</UploadId>"
                "</InitiateMultipartUploadResult>"
            )
        case "POST":
            answer = _document("<CompleteMultipartUploadResult></CompleteMultipartUploadResult>")
            return replace(answer, headers=answer.headers + _proofs(SMALL))
        case "PUT":
            stored = _STORED.get(request.key, SMALL)
            return Answer(headers=(("x-oss-request-id", _ID), *_proofs(stored), ("Content-Length", "0")))
    return Answer(status=204, reason="No Content", headers=(("x-oss-request-id", _ID),))


def _found(request: Request) -> Answer:
    documents = {"uploadId": list_parts, "uploads": list_uploads, "list-type": list_objects}
    for param, document in documents.items():
        if param in request.params:
            return _document(document())
    return _object(request)


def described(key: str) -> Answer:
    """Return the answer to a GET of a whole object."""
    data = content(key)
    headers = (("x-oss-request-id", _ID), *_proofs(data), ("Content-Length", str(len(data))))
    return Answer(data, headers)


def _proofs(data: bytes) -> tuple[tuple[str, str], ...]:
    return (("ETag", f'"{etag(data)}"'), ("x-oss-hash-crc64ecma", str(crc64(data))))


def _object(request: Request) -> Answer:
    whole = described(request.key)
    found = re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers.get("range", ""))
    if found is None or int(found[2]) >= len(whole.body):
        return whole
    first, last = int(found[1]), int(found[2])
    answer = replace(whole, status=206, reason="Partial Content", body=whole.body[first : last + 1])
    answer = answer.having("Content-Length", str(last + 1 - first))
    return answer.adding("Content-Range", f"bytes {first}-{last}/{len(whole.body)}")


def _document(text: str) -> Answer:
    body = text.encode()
    return Answer(body, (("x-oss-request-id", _ID), ("Content-Type", "application/xml"))).adding(
        "Content-Length", str(len(body))
    )


def refusal(status: int, code: str, message: str, reason: str = "Refused") -> Answer:
    """Return an error of OSS."""
    answer = _document(f"<Error><Code>{code}</Code><Message>{message}</Message><RequestId>{_ID}</RequestId></Error>")
    return replace(answer, status=status, reason=reason)


def paged(request: Request, document: str) -> Answer:
    """Return the right answer's head with another document."""
    body = document.encode()
    return replace(right_answer(request), body=body).having("Content-Length", str(len(body)))


def list_parts(next_marker: str | None = None) -> str:
    """Return a page of ListParts; with ``next_marker`` it is not the last."""
    part = f'<Part><PartNumber>1</PartNumber><Size>{len(SMALL)}</Size><ETag>"{etag(SMALL)}"</ETag></Part>'
    return (
        f"<ListPartsResult><Bucket>{BUCKET}</Bucket><Key>{KEY}</Key><UploadId>{UPLOAD_ID}</UploadId>"
        f"{_more('NextPartNumberMarker', next_marker)}{part}</ListPartsResult>"
    )


def list_uploads(next_marker: str | None = None) -> str:
    """Return a page of ListMultipartUploads; with ``next_marker`` it is not the last."""
    more = _more("NextKeyMarker", next_marker)
    if next_marker is not None:
        more += f"<NextUploadIdMarker>{UPLOAD_ID}</NextUploadIdMarker>"
    return (
        f"<ListMultipartUploadsResult><Bucket>{BUCKET}</Bucket>{more}<Upload><Key>{KEY}</Key>"
        f"<UploadId>{UPLOAD_ID}</UploadId><Initiated>2024-01-01T00:00:00.000Z</Initiated></Upload>"
        "</ListMultipartUploadsResult>"
    )


def list_objects(next_marker: str | None = None) -> str:
    """Return a page of ListObjectsV2; with ``next_marker`` it is not the last."""
    return (
        f"<ListBucketResult><Name>{BUCKET}</Name>{_more('NextContinuationToken', next_marker)}"
        f'<Contents><Key>{KEY}</Key><LastModified>2024-01-01T00:00:00.000Z</LastModified><ETag>"{etag(SMALL)}"</ETag>'
        f"<Type>Normal</Type><Size>{len(SMALL)}</Size><StorageClass>Standard</StorageClass></Contents>"
        "</ListBucketResult>"
    )


def _more(tag: str, marker: str | None) -> str:
    if marker is None:
        return "<IsTruncated>false</IsTruncated>"
    return f"<IsTruncated>true</IsTruncated><{tag}>{marker}</{tag}>"
