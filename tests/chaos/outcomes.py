"""
What happens when: every call of an upload, every fault, one stated outcome. Pure data.

The campaign runs each cell and compares; docs/faults.md shows the same table. Nothing of the package is imported here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Verdict(StrEnum):
    """What a fault does to the attempt that meets it."""

    REPEATED = "repeated"
    """Nobody notices: the attempt succeeds."""
    NEXT = "next attempt"
    """The attempt fails; the next one continues and sends nothing again that OSS holds."""
    FAILS = "fails"
    """No retry can mend it; once a person has, clearing the task continues."""
    NEVER = "cannot be"
    """The fault cannot meet the call."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """``error`` is the class that the attempt ends with; ``remark`` is for people."""

    verdict: Verdict
    error: str | None = None
    remark: str = ""
    sends_again: bool = False
    """Parts that OSS acknowledged are sent again."""
    leaves_upload: bool = False
    """An upload stays that nothing names; the log does."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call to OSS, in the kind of upload that makes it."""

    name: str
    operation: str
    has_request_body: bool = False
    answer_is_read: bool = False
    """The body of the answer matters; else its headers hold all."""


@dataclass(frozen=True, slots=True)
class Row:
    """One cell of the table, in its two columns."""

    call: Call
    fault: str
    once: Outcome
    always: Outcome


INITIATE: Final = Call("Initiate", "InitiateMultipartUpload", answer_is_read=True)
UPLOAD_PART: Final = Call("UploadPart", "UploadPart", has_request_body=True)
LIST_PARTS: Final = Call("ListParts", "ListParts", answer_is_read=True)
COMPLETE: Final = Call("Complete", "CompleteMultipartUpload", has_request_body=True)
ABORT: Final = Call("Abort", "AbortMultipartUpload")
HEAD: Final = Call("Head", "HeadObject")
LIST_UPLOADS: Final = Call("ListUploads", "ListMultipartUploads", answer_is_read=True)
PUT_PART: Final = Call("Put of a one-part file", "PutObject", has_request_body=True)
PUT_BYTES: Final = Call("Put of bytes", "PutObject", has_request_body=True)
PUT_FILE: Final = Call("Put of a file", "PutObject", has_request_body=True)
PUT_CALLABLE: Final = Call("Put of a callable stream", "PutObject", has_request_body=True)
PUT_ONE_SHOT: Final = Call("Put of a one-shot stream", "PutObject", has_request_body=True)

MULTIPART: Final = (INITIATE, UPLOAD_PART, LIST_PARTS, COMPLETE, ABORT, HEAD, LIST_UPLOADS)
PUTS: Final = (PUT_PART, PUT_BYTES, PUT_FILE, PUT_CALLABLE, PUT_ONE_SHOT)
CALLS: Final = (*MULTIPART, *PUTS)

FAULTS: Final = {
    "refused": "connection refused",
    "reset": "connection reset before the work",
    "answer-lost": "connection reset after the work: the answer is lost",
    "stall": "nothing moves for longer than `read_timeout`",
    "500": "500 InternalError",
    "503": "503 ServiceUnavailable",
    "429": "429 QpsLimitExceeded",
    "request-timeout": "400 RequestTimeout",
    "clock": "403 RequestTimeTooSkewed: this machine's clock is off",
    "expired-renewed": "403 SecurityTokenExpired, and the connection has a new token",
    "expired": "403 SecurityTokenExpired, and it has not",
    "denied": "403 AccessDenied on this call alone",
    "flip-sent": "a bit flips on the way to OSS",
    "flip-answer": "a bit flips in the body of the answer",
    "truncated": "the answer breaks off",
    "no-xml": "the answer is no XML",
    "bomb": "the answer is an XML bomb",
    "huge": "the answer has 17 MiB",
    "not-oss": "the answer is not OSS's: a login page, a proxy",
    "gone": "the upload is aborted meanwhile (lifecycle rule)",
    "finished": "the upload is finished meanwhile by somebody else",
}

REPEATED: Final = Outcome(Verdict.REPEATED)
NEVER: Final = Outcome(Verdict.NEVER)


def following(error: str) -> Outcome:
    """Return the outcome of an attempt that ends with ``error`` and that the next one continues."""
    return Outcome(Verdict.NEXT, error)


_BROKEN: Final = following("OSSConnectionError")
_STALLED: Final = following("OSSConnectionTimeout")
_BUSY: Final = following("OSSServiceUnavailable")
_EXPIRED: Final = following("OSSCredentialsExpired")
_BAD: Final = following("OSSBadResponse")
_DAMAGED: Final = following("OSSChecksumMismatch")
_DENIED: Final = Outcome(Verdict.FAILS, "OSSAccessDenied")
_ALL_AGAIN: Final = Outcome(Verdict.REPEATED, remark="everything is sent again")
_RECOGNISED: Final = Outcome(Verdict.REPEATED, remark="recognised, nothing is sent again")

_USUAL: Final = {
    "refused": (REPEATED, _BROKEN),
    "reset": (REPEATED, _BROKEN),
    "answer-lost": (REPEATED, _BROKEN),
    "stall": (REPEATED, _STALLED),
    "500": (REPEATED, _BUSY),
    "503": (REPEATED, _BUSY),
    "429": (REPEATED, _BUSY),
    "request-timeout": (REPEATED, _BUSY),
    "clock": (REPEATED, REPEATED),
    "expired-renewed": (REPEATED, REPEATED),
    "expired": (_EXPIRED, _EXPIRED),
    "denied": (_DENIED, _DENIED),
    "flip-sent": (REPEATED, _DAMAGED),
    "flip-answer": (REPEATED, _BAD),
    "truncated": (REPEATED, _BROKEN),
    "no-xml": (REPEATED, _BAD),
    "bomb": (REPEATED, _BAD),
    "huge": (REPEATED, _BAD),
    "not-oss": (REPEATED, _BAD),
    "gone": (_ALL_AGAIN, _ALL_AGAIN),
    "finished": (_RECOGNISED, _RECOGNISED),
}
"""What usually happens: when the fault hits once, and when it hits every such call of the attempt."""

_SPECIAL: Final = {
    (UPLOAD_PART, "flip-sent"): (
        Outcome(Verdict.REPEATED, remark="the damaged part is replaced", sends_again=True),
        Outcome(Verdict.NEXT, "OSSChecksumMismatch", "the damaged part is replaced", sends_again=True),
    ),
    **{
        (call, "flip-sent"): (
            Outcome(Verdict.REPEATED, remark="until then the damaged object is there"),
            Outcome(Verdict.NEXT, "OSSChecksumMismatch", "until then the damaged object is there"),
        )
        for call in (PUT_FILE, PUT_CALLABLE)
    },
    (PUT_ONE_SHOT, "flip-sent"): (
        Outcome(Verdict.NEXT, "OSSChecksumMismatch", "until then the damaged object is there"),
    )
    * 2,
    (LIST_PARTS, "denied"): (Outcome(Verdict.REPEATED, remark="the checkpoint's ranges are verified by MD5"),) * 2,
    (ABORT, "denied"): (Outcome(Verdict.REPEATED, remark="the log names the upload that is left", leaves_upload=True),)
    * 2,
    (ABORT, "gone"): (REPEATED,) * 2,
    (ABORT, "finished"): (REPEATED,) * 2,
    (HEAD, "denied"): (_ALL_AGAIN,) * 2,
    (HEAD, "gone"): (NEVER,) * 2,
    (HEAD, "finished"): (NEVER,) * 2,
    (LIST_UPLOADS, "gone"): (REPEATED,) * 2,
    (LIST_UPLOADS, "denied"): (
        Outcome(Verdict.REPEATED, remark="an empty upload may be left, the log says so", leaves_upload=True),
    )
    * 2,
}


def rows() -> Iterator[Row]:
    """Yield every cell."""
    for fault in FAULTS:
        for call in CALLS:
            yield Row(call, fault, *_outcomes(call, fault))


def _outcomes(call: Call, fault: str) -> tuple[Outcome, Outcome]:
    if (call, fault) in _SPECIAL:
        return _SPECIAL[call, fault]
    if _cannot_meet(call, fault):
        return NEVER, NEVER
    once, always = _USUAL[fault]
    if fault in _ANSWERS and not call.answer_is_read:
        once, always = _of_unread_answer(call, fault)
    if call is PUT_ONE_SHOT and once.verdict is Verdict.REPEATED:
        once = always = _of_one_shot(fault, once, always)
    return once, always


_ANSWERS: Final = ("flip-answer", "truncated", "no-xml", "bomb", "huge")


def _cannot_meet(call: Call, fault: str) -> bool:
    if fault == "flip-sent":
        return not call.has_request_body
    if fault in _ANSWERS and call in (HEAD, ABORT):
        return True  # their answers have no body
    return fault in ("gone", "finished") and call not in (UPLOAD_PART, LIST_PARTS, COMPLETE)


def _of_unread_answer(call: Call, fault: str) -> tuple[Outcome, Outcome]:
    """Return what happens when the headers hold all: of the body it is noticed, if it is read, that it has no end."""
    if call is not UPLOAD_PART and fault in ("truncated", "huge"):
        return _USUAL[fault]
    return REPEATED, REPEATED


def _of_one_shot(fault: str, once: Outcome, always: Outcome) -> Outcome:
    """Return what happens to a stream that cannot be read again: no try is repeated."""
    if always.verdict is Verdict.NEXT:
        return always
    if fault == "clock":
        return Outcome(Verdict.NEXT, "OSSClockCorrected", "when the clock is right, or with a callable")
    if fault == "expired-renewed":
        return _EXPIRED
    return once
