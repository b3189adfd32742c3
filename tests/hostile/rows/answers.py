"""Answers that are HTTP, and not what was asked for."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from tests.hostile import bucket
from tests.hostile.bucket import Answer, paged, refusal
from tests.hostile.exchanges import Row, answering
from tests.hostile.outcomes import (
    BAD,
    BUSY,
    COMPLETE,
    DAMAGED,
    DENIED,
    DOCUMENTS,
    HEAD,
    LIST_OBJECTS,
    LIST_PARTS,
    LIST_UPLOADS,
    PART,
    PUT,
    RANGE,
    READ,
    REJECTED,
    RIGHT,
    STREAM,
    Call,
    Outcome,
)
from tests.hostile.script import Script, Send, Step
from tests.hostile.server import Request

_CRC: Final = "x-oss-hash-crc64ecma"
_FEW: Final = (READ, HEAD, PUT, LIST_PARTS)
_WRITES: Final = (PUT, STREAM, PART)


def _redirect(status: int) -> Row:
    def write(_: Answer, request: Request) -> Script:
        empty = Answer(b"", (("x-oss-request-id", "R1"), ("Content-Length", "0")), status, "Elsewhere")
        return (Step.READ_BODY, Send(empty.adding("Location", f"/exports/witness-{request.key}").raw))

    return Row(f"a redirect: {status}", write, {_FEW: Outcome(("OSSRequestRejected",), "never followed")})


def _gzipped(answer: Answer) -> Answer:
    body = gzip.compress(answer.body)
    return replace(answer, body=body).having("Content-Encoding", "gzip").having("Content-Length", str(len(body)))


def _with_body(right: Answer, body: bytes) -> Answer:
    return replace(right, body=body).having("Content-Length", str(len(body)))


def _of_range(title: str, change: Callable[[Answer], Answer]) -> Row:
    return Row(title, answering(change), {(RANGE,): BAD})


def _whole(_: Answer) -> Answer:
    return bucket.described(bucket.KEY)


def _pages(title: str, call: Call, page: Callable[[str | None], str], param: str, markers: dict[str, str]) -> Row:
    """Lead from marker to marker for ever, "" being the first page."""

    def write(_: Answer, request: Request) -> Script:
        marker = markers[request.params.get(param, "")]
        return (Step.READ_BODY, Send(paged(request, page(marker)).raw))

    return Row(f"{title}: {call.name}", write, {(call,): BAD}, is_circle=True)


_CIRCLES: Final = (
    *(
        _pages("a next marker that repeats", call, page, param, {"": a, a: a})
        for call, page, param, a, _ in (
            (LIST_PARTS, bucket.list_parts, "part-number-marker", "1", "2"),
            (LIST_UPLOADS, bucket.list_uploads, "key-marker", "a", "b"),
            (LIST_OBJECTS, bucket.list_objects, "continuation-token", "a", "b"),
        )
    ),
    *(
        _pages("next markers that alternate", call, page, param, {"": a, a: b, b: a})
        for call, page, param, a, b in (
            (LIST_PARTS, bucket.list_parts, "part-number-marker", "1", "2"),
            (LIST_UPLOADS, bucket.list_uploads, "key-marker", "a", "b"),
            (LIST_OBJECTS, bucket.list_objects, "continuation-token", "a", "b"),
        )
    ),
)

ROWS: Final = (
    *(_redirect(status) for status in (301, 302, 303, 307, 308)),
    Row("a document in gzip that nobody asked for", answering(_gzipped), {DOCUMENTS: BAD}),
    Row(
        "an error in gzip",
        answering(lambda _: _gzipped(refusal(403, "AccessDenied", "no permission"))),
        {(READ, PUT, LIST_PARTS): BAD},
    ),
    Row(
        "an object that is stored with `Content-Encoding: gzip`",
        answering(lambda right: right.having("Content-Encoding", "gzip")),
        {(READ, RANGE): Outcome(remark="its bytes as they are")},
    ),
    Row(
        "an error with line breaks and control characters in its Message",
        answering(lambda _: refusal(403, "AccessDenied", "no&#10;permission&#13;&#9;\u202e")),
        {(READ, PUT, LIST_PARTS): Outcome(("OSSAccessDenied",), "shown escaped")},
    ),
    Row("a status 999", answering(lambda right: replace(right, status=999)), {_FEW: BUSY}),
    Row("a status 299 of a success that is none", answering(lambda _: refusal(299, "x", "y")), {DOCUMENTS: BAD}),
    Row("500 without a document", answering(lambda right: replace(right, status=500)), {_FEW: BUSY}),
    Row(
        "403 without a document",
        answering(lambda _: Answer(b"", (("x-oss-request-id", "R1"), ("Content-Length", "0")), 403, "No")),
        {_FEW: DENIED},
    ),
    Row("a success without x-oss-request-id", answering(lambda right: right.without("x-oss-request-id")), {_FEW: BAD}),
    Row("a document of another kind", answering(lambda right: _with_body(right, b"<Other/>")), {DOCUMENTS: BAD}),
    Row("no document", answering(lambda right: _with_body(right, b"")), {DOCUMENTS: BAD}),
    Row(
        "another CRC-64 than that of what was sent",
        answering(lambda right: right.having(_CRC, "7")),
        {_WRITES: DAMAGED},
    ),
    Row(
        "a CRC-64 that is no number",
        answering(lambda right: right.having(_CRC, "seven")),
        {(*_WRITES, READ, HEAD): BAD},
    ),
    Row(
        "no CRC-64, and another ETag than that of what was sent",
        answering(lambda right: right.without(_CRC).having("ETag", f'"{"0" * 32}"')),
        {(PART,): DAMAGED},
    ),
    Row("no CRC-64, and the right ETag", answering(lambda right: right.without(_CRC)), {(*_WRITES, COMPLETE): RIGHT}),
    Row(
        "neither ETag nor CRC-64",
        answering(lambda right: right.without(_CRC, "ETag")),
        {_WRITES: BAD},
    ),
    Row("the CRC-64 and no ETag", answering(lambda right: right.without("ETag")), {_WRITES: BAD}),
    Row(
        "other bytes than those of the CRC-64",
        answering(lambda right: replace(right, body=right.body[::-1])),
        {(READ,): DAMAGED},
    ),
    _of_range("206 with another ETag than If-Match asked for", lambda right: right.having("ETag", f'"{"0" * 32}"')),
    _of_range("206 without an ETag", lambda right: right.without("ETag")),
    _of_range("206 with another range", lambda right: right.having("Content-Range", "bytes 4-13/44")),
    _of_range("206 with a shorter range", lambda right: right.having("Content-Range", "bytes 3-11/44")),
    _of_range("206 with a range in other units", lambda right: right.having("Content-Range", "lines 3-12/44")),
    _of_range("206 with a range that is none", lambda right: right.having("Content-Range", "bytes */44")),
    _of_range("206 without a Content-Range", lambda right: right.without("Content-Range")),
    _of_range("200 with the whole object", _whole),
    _of_range("200 with the bytes of the range", lambda right: replace(right, status=200).without("Content-Range")),
    _of_range(
        "206 with a range shorter than was asked for, and as much of it",
        lambda right: _with_body(right, right.body[:-1]).having("Content-Range", "bytes 3-11/44"),
    ),
    Row(
        "206 to a request for the whole object",
        answering(
            lambda right: replace(_with_body(right, right.body[:10]), status=206).adding(
                "Content-Range", f"bytes 0-9/{len(right.body)}"
            )
        ),
        {(READ,): BAD},
    ),
    Row(
        "204 to a request for an object",
        answering(lambda right: replace(right, status=204, body=b"").having("Content-Length", "0")),
        {(READ,): BAD},
    ),
    Row("a refusal by 304", answering(lambda right: replace(right, status=304, body=b"")), {(READ, HEAD): REJECTED}),
    *_CIRCLES,
)
