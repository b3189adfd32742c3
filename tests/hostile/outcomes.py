"""What becomes of one try at a call, and the calls that hostile answers are given to. Pure data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one try ends with."""

    errors: tuple[str, ...] = ()
    """Name of the error's class; none for the right result. Where two are named, the network decides."""
    remark: str = ""
    is_undetected: bool = False
    """The wrong answer is taken for the right one: nothing in it tells them apart."""

    @property
    def may_pass(self) -> bool:
        """Whether a repetition may succeed."""
        return not set(self.errors) - REPEATED


REPEATED: Final = frozenset(
    ("OSSBadResponse", "OSSConnectionError", "OSSConnectionTimeout", "OSSServiceUnavailable", "OSSChecksumMismatch")
)
"""Errors after which a call is repeated."""

RIGHT: Final = Outcome()
BAD: Final = Outcome(("OSSBadResponse",))
BROKEN: Final = Outcome(("OSSConnectionError",))
TIMEOUT: Final = Outcome(("OSSConnectionTimeout",))
DAMAGED: Final = Outcome(("OSSChecksumMismatch",))
BUSY: Final = Outcome(("OSSServiceUnavailable",))
DENIED: Final = Outcome(("OSSAccessDenied",))
REJECTED: Final = Outcome(("OSSRequestRejected",))
NO_KEY: Final = Outcome(("OSSNoSuchKey",))
UNDETECTED: Final = Outcome(remark="not noticed: the answer is another object's, whole and right", is_undetected=True)


@dataclass(frozen=True, slots=True)
class Call:
    """A call of the hook. ``playing`` knows how each is made, by its name."""

    name: str


READ: Final = Call("GetObject")
RANGE: Final = Call("GetObject of a range with If-Match")
DOWNLOAD: Final = Call("download of a file")
HEAD: Final = Call("HeadObject")
PUT: Final = Call("PutObject of bytes")
STREAM: Final = Call("PutObject of a chunked stream")
PART: Final = Call("UploadPart of a file")
INITIATE: Final = Call("Initiate")
COMPLETE: Final = Call("Complete")
ABORT: Final = Call("Abort")
LIST_PARTS: Final = Call("ListParts")
LIST_UPLOADS: Final = Call("ListUploads")
LIST_OBJECTS: Final = Call("ListObjects")
BIG_PUT: Final = Call("PutObject of 16 MiB")
BIG_PART: Final = Call("UploadPart of 16 MiB of a file")
BIG_STREAM: Final = Call("PutObject of a chunked stream of 16 MiB")

CALLS: Final = (READ, RANGE, DOWNLOAD, HEAD, PUT, PART, COMPLETE, LIST_PARTS)
"""One of every kind of answer: bytes, a range of them, headers alone, a body that says nothing, a document."""
BODIES: Final = (READ, RANGE, DOWNLOAD)
DOCUMENTS: Final = (LIST_PARTS, INITIATE, LIST_UPLOADS, LIST_OBJECTS)
SENDING: Final = (BIG_PUT, BIG_PART, BIG_STREAM)
