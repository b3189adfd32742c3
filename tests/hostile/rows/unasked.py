"""Answers that nobody asked for, and connections that end."""

from __future__ import annotations

from functools import partial
from typing import Final

from tests.hostile.bucket import OTHER_KEY, Answer, crc64, described, etag, right_answer
from tests.hostile.exchanges import Row, answering
from tests.hostile.outcomes import (
    BAD,
    BROKEN,
    CALLS,
    COMPLETE,
    DAMAGED,
    DOWNLOAD,
    HEAD,
    LIST_PARTS,
    PART,
    PUT,
    RANGE,
    READ,
    RIGHT,
    UNDETECTED,
)
from tests.hostile.rows.bodies import ENDS
from tests.hostile.script import Script, Send, Step
from tests.hostile.server import Request

_STRAY: Final = described(OTHER_KEY).raw


def _instead(right: Answer, request: Request) -> Script:
    """Send the answer that another request of the same kind would get."""
    if request.method in ("GET", "HEAD") and not request.params:
        other = Request(0, request.method, request.target.replace(request.key, OTHER_KEY), request.headers)
        return (Step.READ_BODY, Send(right_answer(other).raw))
    if request.method in ("PUT", "POST"):
        stored = b"what another request stored"
        other_write = right.having("ETag", f'"{etag(stored)}"').having("x-oss-hash-crc64ecma", str(crc64(stored)))
        return (Step.READ_BODY, Send(other_write.raw))
    return (Step.READ_BODY, Send(_STRAY))


def _silence(step: Step, _right: Answer, _request: Request) -> Script:
    return (Step.READ_BODY, step)


ROWS: Final = (
    Row(
        "another answer behind the answer, in the same packet",
        answering(lambda right: right.raw + _STRAY),
        {CALLS: RIGHT},
        is_dropped=True,
    ),
    Row(
        "another answer behind the answer, in a packet of its own",
        answering(lambda right: right.raw, Send(_STRAY)),
        {CALLS: RIGHT},
        is_dropped=True,
    ),
    Row(
        "an interim answer behind the answer",
        answering(lambda right: right.raw, Send(b"HTTP/1.1 103 Early Hints\r\n\r\n")),
        {CALLS: RIGHT},
        is_dropped=True,
    ),
    Row(
        "408 behind the answer, then closed",
        answering(lambda right: right.raw, Send(b"HTTP/1.1 408 Timeout\r\nContent-Length: 0\r\n\r\n"), Step.CLOSE),
        {CALLS: RIGHT},
        is_dropped=True,
    ),
    Row("one byte behind the answer", answering(lambda right: right.raw, Send(b"\n")), {CALLS: RIGHT}, is_dropped=True),
    Row(
        "an answer that comes late, after the next request was sent",
        _instead,
        {
            (RANGE, LIST_PARTS): BAD,
            (PUT, PART): DAMAGED,
            (READ, DOWNLOAD, HEAD): UNDETECTED,
        },
    ),
    *(
        Row(
            f"the answer, and then the connection: {words}",
            answering(lambda right: right.raw, step),
            {CALLS: RIGHT},
            is_dropped=True,
        )
        for step, words in ENDS.items()
    ),
    *(
        Row(
            f"no answer, the connection: {words}",
            partial(_silence, step),
            {(*CALLS,): BROKEN},
            is_dropped=True,
        )
        for step, words in ENDS.items()
    ),
    *(
        Row(
            f"half a head, then the connection: {words}",
            answering(lambda right: right.head[:30], step),
            {(READ, HEAD, PUT, PART, COMPLETE, LIST_PARTS): BROKEN},
            is_dropped=True,
        )
        for step, words in ENDS.items()
    ),
    Row(
        "an interim answer, then the connection is closed",
        answering(lambda _: b"HTTP/1.1 100 Continue\r\n\r\n", Step.CLOSE),
        {CALLS: BROKEN},
        is_dropped=True,
    ),
)
