"""
One request and its answer over one connection: HTTP/1.1 (RFC 9110, RFC 9112) as far as OSS needs it.

    head, body  -->        a request's head is made by ``session``; a body is bytes, a file's range or chunks
                <--  1xx   interim answers, up to 16, are passed over; 101 is refused: no upgrade was asked for
                <--  head  of at most 64 KiB, parsed by llhttp, which refuses what can be read in two ways
                <--  body  none (HEAD, 204, 304), of a length, chunked, or until the connection ends

What follows from it:

- An answer may come while the body is being sent: sending stops, and it is read. An error says why; a success does not
  count, for OSS does not have the body. What was sent is not known then, so the connection is not used again.
- A connection is used again only when the whole request was sent, the answer was read to its end, nothing came behind
  it, and neither side wants to close.
- An answer is bounded: a document has at most 16 MiB, what frames the chunks at most 64 KiB and eight times the
  body. One that carries no object's bytes comes within five read timeouts of being waited for.
- Nothing is sent twice and no redirect is followed: both is for the caller to decide.

A broken connection raises ``urllib3.exceptions.ProtocolError``, with the OSError as its cause; what is no answer that
OSS gives raises ValueError. Either way the connection is closed.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Final, TypeAlias

from httptools import HttpParserError, HttpResponseParser
from urllib3.exceptions import ProtocolError

from airflow_provider_oss.clients.wire import BrokenConnection, Connection
from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.file_range import Buffer, FileRange

RequestBody: TypeAlias = Buffer | FileRange | Iterable[Buffer] | None
GiveBack: TypeAlias = Callable[[Connection], None]

_MAX_HEAD_BYTES: Final = 64 * 1024
_MAX_INTERIM: Final = 16
_MAX_DOCUMENT_BYTES: Final = 16 * 1024 * 1024
_MAX_FRAMING: Final = 8
"""Bytes of framing for each byte of a chunked body; a chunk of one byte has five."""
_DOCUMENT_TIME_OUTS: Final = 5
_LOOK_SECONDS: Final = 0.1
"""So often an answer is looked for while a body is being sent."""
_READ_BYTES: Final = 256 * 1024
_SENT_WITH_HEAD_BYTES: Final = 64 * 1024
_CHUNKED: Final = -1
_END_OF_HEAD: Final = b"\r\n\r\n"
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] \d{3} [\t\x20-\x7e\x80-\xff]*\r\n")
"""RFC 9112, 4. llhttp also takes line ends before it, other versions, and any byte for a reason."""
_REQUEST_ID: Final = "x-oss-request-id"
_SWITCHING_PROTOCOLS: Final = 101
_WITHOUT_BODY: Final = (204, 304)
_FIRST_ERROR_STATUS: Final = 300
_SERVER_ERROR_STATUS: Final = 500


class Exchange:
    """A request that is sent once, by ``send``, and whose answer may be waited for later, by ``wait``."""

    def __init__(self, connection: Connection, give_back: GiveBack, *, is_head: bool, is_document: bool) -> None:
        self._connection = connection
        self._give_back = give_back
        self._is_head = is_head
        self._is_document = is_document
        self._is_sent = False
        self._received = b""
        self._head: _Head | None = None
        self._interim = 0
        self._next_look = time.monotonic() + _LOOK_SECONDS

    def send(self, head: bytes, body: RequestBody, length_bytes: int | None) -> None:
        """Send the request; without ``length_bytes`` a body that is iterable goes in chunks."""
        with _closing_on_error(self._connection):
            if self._connection.sock is None:
                self._connection.connect()
            self._is_sent = self._send(head, body, length_bytes)

    def _send(self, head: bytes, body: RequestBody, length_bytes: int | None) -> bool:
        send = self._connection.send
        if body is None:
            return send(head, self._is_answered)
        if isinstance(body, bytes | bytearray | memoryview):
            if len(body) <= _SENT_WITH_HEAD_BYTES:
                return send(b"".join((head, body)), self._is_answered)
            return send(head, self._is_answered) and send(body, self._is_answered)
        if not send(head, self._is_answered):
            return False
        if isinstance(body, FileRange):
            if self._connection.sends_files:
                return self._connection.send_file(body, self._is_answered)
            body = body.blocks()
        blocks = _chunked(body) if length_bytes is None else _of_length(body, length_bytes)
        return all(send(block, self._is_answered) for block in blocks)

    def _is_answered(self) -> bool:
        """Whether the answer has come already, or the connection has ended. Looks from time to time."""
        now = time.monotonic()
        if now < self._next_look:
            return False
        self._next_look = now + _LOOK_SECONDS
        arrived = self._connection.glance()
        if arrived is None:
            return False
        self._received += arrived
        return not arrived or self._has_head()

    def wait(self) -> Response:
        """Wait for the head of the answer. One that is not OSS's raises ValueError: a login page's is no success."""
        connection = self._connection
        with _closing_on_error(connection):
            connection.deadline = time.monotonic() + _DOCUMENT_TIME_OUTS * connection.stall_seconds
            while not self._has_head():
                arrived = connection.receive()
                if not arrived:
                    raise BrokenConnection(
                        "closed in the middle of an answer's head" if self._received else "closed without an answer"
                    )
                self._received += arrived
            head = self._head
            assert head is not None  # noqa: S101 - _has_head() says so
            if not self._is_sent and head.status < _FIRST_ERROR_STATUS:
                raise ValueError(f"HTTP status {head.status} came before the request was sent: it is no answer to it")
            if head.status < _SERVER_ERROR_STATUS and not head.headers.get(_REQUEST_ID):
                raise ValueError(
                    f"HTTP status {head.status} without {_REQUEST_ID} does not come from OSS; look for a proxy or a "
                    "login page on the way, and check the endpoint"
                )
            return self._response(head)

    def _has_head(self) -> bool:
        """Whether the head of the final answer is there; passes over interim answers."""
        while self._head is None:
            end = self._received.find(_END_OF_HEAD, 0, _MAX_HEAD_BYTES)
            if end < 0:
                if len(self._received) >= _MAX_HEAD_BYTES:
                    raise ValueError(f"its head has more than {_MAX_HEAD_BYTES} bytes")
                _Head().feed(self._received)  # what is none already is not waited for to its end
                return False
            end += len(_END_OF_HEAD)
            head = _Head()
            head.read(self._received[:end])
            self._received = self._received[end:]
            if head.status >= 200:  # noqa: PLR2004
                self._head = head
            elif head.status == _SWITCHING_PROTOCOLS or self._interim == _MAX_INTERIM:
                raise ValueError(f"HTTP status {head.status} is not asked for, or came too often")
            self._interim += 1
        return True

    def _response(self, head: _Head) -> Response:
        give_back = self._give_back if self._is_sent and head.keeps_alive else Connection.close
        length = 0 if self._is_head or head.status in _WITHOUT_BODY else head.length_bytes
        is_document = self._is_document or head.status >= _FIRST_ERROR_STATUS
        return Response(self._connection, give_back, head, length, self._received, is_document=is_document)


def _chunked(blocks: Iterable[Buffer]) -> Iterator[bytes]:
    for block in blocks:
        if block:
            yield b"".join((b"%x\r\n" % len(block), block, b"\r\n"))
    yield b"0\r\n\r\n"


def _of_length(blocks: Iterable[Buffer], length_bytes: int) -> Iterator[Buffer]:
    """Yield the blocks, which must have so many bytes: what follows would be taken for another request."""
    left = length_bytes
    for block in blocks:
        left -= len(block)
        if left < 0:
            break
        yield block
    if left:
        raise OSSInvalidArgument(f"the body has other than the {length_bytes} bytes that its content-length says")


class _Head:
    """The head of an answer, and the parser that reads it. Raises ValueError when it is none."""

    def __init__(self) -> None:
        self.status = 0
        self.length_bytes: int | None = None
        """Of the body; _CHUNKED, None for one that ends with the connection."""
        self.headers: dict[str, str] = {}
        """Names in lower case; the values of one that comes twice are joined."""
        self.keeps_alive = False
        self.is_at_end = False
        self.has_more = False
        """Whether something came behind the end of the answer."""
        self._is_complete = False
        self._body: list[bytes] = []
        self._parser = HttpResponseParser(self)

    def read(self, data: bytes) -> None:
        """Parse a whole head."""
        self.feed(data)
        if not self._is_complete or not _STATUS_LINE.match(data):
            raise ValueError("it has no head that HTTP/1.1 knows")
        self.status = self._parser.get_status_code()
        self.length_bytes = self._length()

    def _length(self) -> int | None:
        coding = self.headers.get("transfer-encoding")
        if coding is not None:
            if coding.lower() != "chunked" or self._parser.get_http_version() != "1.1":
                raise ValueError(f"transfer-encoding {coding!r} is not understood")
            return _CHUNKED
        length = self.headers.get("content-length")
        return None if length is None else int(length)

    def feed(self, data: bytes) -> bytes:
        """Parse more of the answer; return what that has of a chunked body."""
        try:
            self._parser.feed_data(data)
        except HttpParserError as error:
            if not self.is_at_end:
                raise ValueError(f"it is not HTTP/1.1: {error}") from None
            self.has_more = True
        body, self._body = b"".join(self._body), []
        return body

    # Called by the parser

    def on_message_begin(self) -> None:
        self.has_more = self.is_at_end

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._is_complete:  # a trailer
            return
        key, text = name.decode("ascii").lower(), _text(value.strip(b" \t"))
        self.headers[key] = f"{self.headers[key]}, {text}" if key in self.headers else text

    def on_headers_complete(self) -> None:
        if not self._is_complete:
            self._is_complete = True
            self.keeps_alive = self._parser.should_keep_alive()

    def on_body(self, data: bytes) -> None:
        if not self.is_at_end:
            self._body.append(data)

    def on_message_complete(self) -> None:
        self.is_at_end = True


def _text(value: bytes) -> str:
    """OSS sends metadata back in the UTF-8 it came in; what is none is shown as Latin-1."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


class Response:
    """An answer. Raises ``urllib3.exceptions.ProtocolError`` when its body breaks off, ValueError when it is none."""

    def __init__(
        self,
        connection: Connection,
        give_back: GiveBack,
        head: _Head,
        length_bytes: int | None,
        arrived: bytes,
        *,
        is_document: bool,
    ) -> None:
        self.status = head.status
        self.headers = head.headers
        """Names in lower case."""
        self.request_id = head.headers.get(_REQUEST_ID, "")
        self._connection = connection
        self._give_back = give_back
        self._head = head
        self._is_document = is_document
        self._framing_bytes = -_MAX_HEAD_BYTES
        self._unread = b""
        self._is_chunked = length_bytes == _CHUNKED
        self._left = None if self._is_chunked else length_bytes
        """Bytes of the body that have not arrived; None where only the end of the body shows it."""
        if not is_document:
            connection.deadline = None
        if arrived or self._left == 0:
            self._unread = self._accepted(arrived)

    def read(self, amt: int | None = None) -> bytes:
        """
        Return ``amt`` bytes of the body, fewer at its end, or all that is left; so with a negative number, as files do.

        A document that is read as a whole and has more than 16 MiB raises ValueError, for OSS never sends one; of an
        error its beginning is returned, for the status is known.
        """
        if amt is not None and amt < 0:
            amt = None
        is_limited = amt is None and self._is_document
        left = _MAX_DOCUMENT_BYTES + 1 if is_limited else amt
        blocks = []
        while left is None or left > 0:
            block = self._take(_READ_BYTES if left is None else min(left, _READ_BYTES))
            if not block:
                break
            blocks.append(block)
            left = None if left is None else left - len(block)
        if is_limited and left == 0:
            self.close()
            if self.status < _FIRST_ERROR_STATUS:
                raise ValueError(f"it has more than {_MAX_DOCUMENT_BYTES} bytes")
        return b"".join(blocks)

    def readinto(self, buffer: bytearray | memoryview) -> int:
        """Fill any writable buffer, or as much of it as is left of the body; return how many bytes, 0 at the end."""
        view, done = memoryview(buffer).cast("B"), 0
        while done < len(view):
            count = self._take_into(view[done:])
            if not count:
                break
            done += count
        return done

    def _take_into(self, buffer: memoryview) -> int:
        if self._unread or not self._left:
            block = self._take(len(buffer))
            buffer[: len(block)] = block
            return len(block)
        with _closing_on_error(self._connection):
            count = self._connection.receive_into(buffer[: self._left])
            self._note_arrived(count)
        return count

    def _take(self, most_bytes: int) -> bytes:
        """Return some of the body; no bytes at its end."""
        while not self._unread and self._left != 0:
            with _closing_on_error(self._connection):
                wanted = _READ_BYTES if self._left is None else min(self._left, _READ_BYTES)
                self._unread = self._accepted(self._connection.receive(wanted))
        taken, self._unread = self._unread[:most_bytes], self._unread[most_bytes:]
        return taken

    def _accepted(self, arrived: bytes) -> bytes:
        """Return what of it is the body's."""
        if self._is_chunked:
            return self._unchunked(arrived)
        if self._left is not None and len(arrived) > self._left:
            self._give_back = Connection.close
            arrived = arrived[: self._left]
        self._note_arrived(len(arrived))
        return arrived

    def _note_arrived(self, count: int) -> None:
        if self._left is None:
            self._left = None if count else 0
        elif count or not self._left:
            self._left -= count
        else:
            raise BrokenConnection(f"closed {self._left} bytes before the end of the answer")
        if self._left == 0:
            self._end()

    def _unchunked(self, arrived: bytes) -> bytes:
        if not arrived:
            raise BrokenConnection("closed in the middle of the answer")
        body = self._head.feed(arrived)
        self._framing_bytes += len(arrived) - (1 + _MAX_FRAMING) * len(body)
        if self._framing_bytes > 0:
            raise ValueError("its chunks have too little in them")
        if self._head.is_at_end:
            if self._head.has_more:
                self._give_back = Connection.close
            self._left = 0
            self._end()
        return body

    def _end(self) -> None:
        """Let go of the connection: the answer has arrived."""
        self._connection.deadline = None
        self._give_back(self._connection)

    def __iter__(self) -> Iterator[bytes]:
        while chunk := self.read(_READ_BYTES):
            yield chunk

    def close(self) -> None:
        """Give the connection up when something of the body has not arrived."""
        self._unread = b""
        if self._left != 0:
            self._left = 0
            self._connection.close()


class _closing_on_error:  # noqa: N801 - used like a function; made by contextlib it would cost five times as much
    """Close the connection on any error, and raise those of a broken connection as urllib3's."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            return
        is_to_blame = self._connection.is_to_blame(error)
        self._connection.close()
        if is_to_blame:
            raise ProtocolError("Connection aborted.", error) from error
