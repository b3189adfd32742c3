"""Answers before the answer."""

from __future__ import annotations

from typing import Final

from tests.hostile.bucket import Answer
from tests.hostile.exchanges import Row, Writer, answering, malformed
from tests.hostile.outcomes import BAD, CALLS, DAMAGED, LIST_PARTS, READ, RIGHT, SENDING
from tests.hostile.script import Flood, Script, Send, Step
from tests.hostile.server import Request

HINTS: Final = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


def _before(status: int) -> Writer:
    interim = f"HTTP/1.1 {status} Wait\r\nX-Note: yes\r\n\r\n".encode()
    return answering(lambda right: interim + right.raw)


def _packets(right: Answer, _: Request) -> Script:
    return (Step.READ_BODY, Send(CONTINUE), Send(HINTS), Send(right.raw))


def _flood(_: Answer, __: Request) -> Script:
    return (Step.READ_BODY, Flood(HINTS * 100))


def _early(interim: bytes) -> Writer:
    return lambda right, _: (Send(interim), Step.READ_BODY, Send(right.raw))


def _inside_the_body(right: Answer) -> bytes:
    return right.head + right.body[:5] + HINTS + right.body[5:]


ROWS: Final = (
    *(Row(f"before the answer: {status}", _before(status), {CALLS: RIGHT}) for status in (100, 102, 103, 199)),
    Row("before the answer: 100 and 103 in packets of their own", _packets, {CALLS: RIGHT}),
    Row("before the answer: ten of them", answering(lambda right: HINTS * 10 + right.raw), {CALLS: RIGHT}),
    malformed("101 Switching Protocols", lambda right: b"HTTP/1.1 101 Switch\r\nUpgrade: h2c\r\n\r\n" + right.raw),
    Row("interim answers without end", _flood, {CALLS: BAD}, is_dropped=True),
    Row(
        "an interim answer that names a length",
        answering(lambda right: b"HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\n" + right.raw),
        {CALLS: RIGHT},
    ),
    malformed("an interim answer with a body", lambda right: HINTS + b"hello" + right.raw),
    malformed(
        "an interim answer, then one whose status is none", lambda right: HINTS + b"HTTP/1.1 1x3 No\r\n\r\n" + right.raw
    ),
    Row(
        "an interim answer in the middle of a body",
        answering(_inside_the_body),
        {(READ,): DAMAGED, (LIST_PARTS,): BAD},
        is_dropped=True,
    ),
    Row("while the body is being sent: 100", _early(CONTINUE), {SENDING: RIGHT}),
    Row("while the body is being sent: 103", _early(HINTS), {SENDING: RIGHT}),
    Row(
        "interim answers without end while the body is being sent",
        lambda _, __: (Flood(HINTS * 100),),
        {SENDING: BAD},
        is_dropped=True,
    ),
)
