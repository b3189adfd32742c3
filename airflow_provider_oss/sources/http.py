"""
What a server answers to a GET, as a source: in ranges where it promises that all of them are of the same content.

That promise is a strong ETag: each range is asked for on condition that the ETag is still the same (If-Range), and each
answer says which bytes it holds of how many. Everything else is read forward, from its beginning in every attempt: an
answer without ranges or length, without a strong ETag, with a Content-Encoding (often made on the fly), or to a POST. A
body counts as whole only when all of it is known to have come.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from airflow_provider_oss.engine.retry import RetryPolicy, make_retrying
from airflow_provider_oss.exceptions import OSSInvalidSource, OSSSourceChanged, OSSSourceUnavailable
from airflow_provider_oss.limits import MIB
from airflow_provider_oss.model import Fingerprint, Part
from airflow_provider_oss.proof import strong_etag, version_of
from airflow_provider_oss.sources.http_request import WHOLE, HttpRequest

if TYPE_CHECKING:
    from requests import Response

    from airflow_provider_oss.sources.http_request import HttpRequest


_READ_BYTES: Final = 256 * 1024
_MAX_INFLATED_BYTES: Final = MIB
_GZIP_OR_ZLIB: Final = 32 + zlib.MAX_WBITS
"""zlib finds out by itself which header it is."""
_NUMBER: Final = re.compile(r"[0-9]{1,19}")
"""A number of bytes; one of more digits is none that a server means."""


def body_of(response: Response, request: HttpRequest) -> Iterator[bytes]:
    """
    Yield the body as it was sent, still compressed if it is.

    Raises OSSSourceUnavailable when it ends before its Content-Length or its last chunk, OSSInvalidSource for a
    Transfer-Encoding that is not undone here.
    """
    from urllib3.exceptions import HTTPError

    codings = _transfer_codings(response)
    if codings not in ([], ["chunked"]):
        raise OSSInvalidSource(
            f"{request.name} answers with Transfer-Encoding {', '.join(codings)!r}, of which only chunked is "
            "understood: let the server send what it holds as it is"
        )
    expected = None if codings else _content_length(response)
    received_bytes = 0
    try:
        for chunk in response.raw.stream(_READ_BYTES, decode_content=False):
            received_bytes += len(chunk)
            yield chunk
    except (HTTPError, OSError, ValueError) as error:  # ValueError: a size of a chunk below 0
        problem = request.broke_off(error)
    else:
        if expected is None or received_bytes == expected:
            return
        problem = OSSSourceUnavailable(f"{request.name} broke off after {received_bytes} of {expected} bytes")
    raise problem


def check_end_is_marked(response: Response, name: str) -> None:
    """Raise OSSInvalidSource when an answer that breaks off could not be told from one that ends."""
    if not _transfer_codings(response) and _content_length(response) is None:
        raise OSSInvalidSource(
            f"{name} tells neither a length that can be read nor chunks, so an answer that breaks off looks like one "
            "that ends: let the server send Content-Length, or set trust_connection_close=True and accept that it may "
            "be cut short"
        )


def number_of_bytes(text: str) -> int | None:
    """Return the number of a header; None for what is not digits alone, or too many of them."""
    return int(text) if _NUMBER.fullmatch(text) else None


def _content_length(response: Response) -> int | None:
    """Return the length that the answer states, once or several times; None for none that can be read."""
    told = {number_of_bytes(text.strip()) for text in response.headers.get("Content-Length", "").split(",")}
    return told.pop() if len(told) == 1 else None


def _transfer_codings(response: Response) -> list[str]:
    told = response.headers.get("Transfer-Encoding", "").lower().split(",")
    return [coding.strip() for coding in told if coding.strip() not in {"", "identity"}]


def decompressed(chunks: Iterator[bytes], encoding: str, name: str) -> Iterator[bytes]:
    """
    Yield what a gzip or deflate stream holds, in pieces of at most 1 MiB.

    Raises OSSSourceUnavailable when it ends before its own end, OSSInvalidSource for another encoding or what is none.
    """
    if encoding.lower() not in {"gzip", "x-gzip", "deflate"}:
        raise OSSInvalidSource(f"{name}: Content-Encoding {encoding!r} cannot be decompressed: leave decompress out")
    inflater = zlib.decompressobj(_GZIP_OR_ZLIB)
    at_beginning = True
    try:
        for chunk in chunks:
            waiting = chunk
            while waiting:
                if inflater.eof:  # zeros may pad gzip, and members follow each other
                    waiting = waiting.lstrip(b"\0")
                    if not waiting:
                        break
                    inflater = zlib.decompressobj(_GZIP_OR_ZLIB)
                if piece := inflater.decompress(waiting, _MAX_INFLATED_BYTES):
                    yield piece
                waiting = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
            at_beginning = False
        while not inflater.eof and (piece := inflater.decompress(b"", _MAX_INFLATED_BYTES)):
            yield piece
    except zlib.error as error:
        raise OSSInvalidSource(f"{name} is not what its Content-Encoding {encoding!r} says: {error}") from error
    if not inflater.eof and not at_beginning:
        raise OSSSourceUnavailable(f"{name} broke off inside its Content-Encoding {encoding!r}")


_REMEDY: Final = "use_ranges=False reads it forward instead"
_IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})
"""Methods whose requests may be repeated (RFC 9110, 9.2.2)."""


@dataclass(frozen=True, slots=True)
class Representation:
    """What a server said of the content it would send."""

    size_bytes: int
    etag: str
    modified_at: str | None
    """ISO 8601, UTC."""
    content_type: str | None


@dataclass(frozen=True, slots=True)
class AnswerOptions:
    """How an answer is read forward."""

    decompress: bool = False
    trust_connection_close: bool = False


def open_http(
    request: HttpRequest, *, use_ranges: bool, options: AnswerOptions, retry: RetryPolicy
) -> HttpSource | HttpStream:
    """
    Ask the server and return what its answer can be read by: HttpSource in ranges, HttpStream forward.

    Raises as ``HttpRequest.send``. An HttpStream holds an open answer: close it.
    """
    if request.method not in _IDEMPOTENT:
        retry = RetryPolicy(tries=1)
    if not use_ranges or request.method != "GET":
        return HttpStream(request, make_retrying(retry)(request.send, {}), options, retry)
    first = make_retrying(retry)(request.send, {"Range": "bytes=0-0"})
    found = representation(first.status_code, first.headers)
    if found is not None:
        first.close()
        return HttpSource(request, found, retry)
    if first.status_code == HTTPStatus.OK:
        return HttpStream(request, first, options, retry)
    first.close()  # a range of it: it is asked for again as a whole
    return HttpStream(request, make_retrying(retry)(request.send, {}), options, retry)


def representation(status: int, headers: Mapping[str, str]) -> Representation | None:
    """Return what the answer to a range promises of the whole; None when that is too little to read it in ranges."""
    etag = strong_etag(headers.get("ETag"))
    content_range = parse_content_range(headers.get("Content-Range", ""))
    is_encoded = headers.get("Content-Encoding", "identity").lower() != "identity"
    if status != HTTPStatus.PARTIAL_CONTENT or etag is None or content_range is None or is_encoded:
        return None
    return Representation(content_range[2], etag, _iso_time(headers), _content_type(headers))


def parse_content_range(text: str) -> tuple[int, int, int] | None:
    """Return first byte, last byte and size of ``bytes 0-99/1000``; None for anything else, and an unknown size."""
    unit, _, rest = text.strip().partition(" ")
    match [number_of_bytes(part) for part in rest.replace("/", "-").split("-")]:
        case [int(first), int(last), int(size)] if unit.lower() == "bytes":
            return first, last, size
    return None


def _iso_time(headers: Mapping[str, str]) -> str | None:
    try:
        return parsedate_to_datetime(headers["Last-Modified"]).isoformat()
    except (KeyError, ValueError, OverflowError):
        return None


@dataclass(frozen=True, slots=True)
class HttpSource:
    """Content that a server sends in ranges, on condition that it is still the same."""

    request: HttpRequest
    found: Representation
    retry: RetryPolicy = field(default_factory=RetryPolicy)

    @property
    def content_type(self) -> str | None:
        """As the server stated it."""
        return self.found.content_type

    def open(self) -> HttpReader:
        """Return a reader; the server has been asked already."""
        return HttpReader(self)

    def close(self) -> None:
        """Nothing is held."""


class HttpReader:
    """Reads ranges; each part takes memory of its size."""

    def __init__(self, source: HttpSource) -> None:
        self._request = source.request
        self._found = source.found
        self._repeating = make_retrying(source.retry)
        # The name tells no query, and an ETag is one of its URL alone: another query is another content
        url = hashlib.sha256(repr((source.request.url, source.request.params)).encode()).hexdigest()[:16]
        version = version_of("etag", self._found.etag, url)
        self._fingerprint = Fingerprint(self._request.name, self._found.size_bytes, self._found.modified_at, version)

    @property
    def fingerprint(self) -> Fingerprint:
        """What the server said of the content; ``version`` is its ETag, and a digest of the URL."""
        return self._fingerprint

    def data(self, part: Part) -> bytearray:
        """Read the part. Raises OSSSourceChanged, OSSSourceUnavailable, or OSSInvalidSource for a wrong answer."""
        return self._repeating(self._read, part)

    def check_unchanged(self) -> None:
        """Ask the server for one byte. Raises OSSSourceChanged when it is not of the same content any more."""
        self.data(Part(1, 0, 1))

    def close(self) -> None:
        """Nothing is held: the session is shared."""

    def _read(self, part: Part) -> bytearray:
        first, last = part.offset_bytes, part.offset_bytes + part.size_bytes - 1
        response = self._request.send({"Range": f"bytes={first}-{last}", "If-Range": self._found.etag})
        try:
            self._check(response, first, last)
            return self._body(response, part.size_bytes)
        finally:
            response.close()

    def _check(self, response: Response, first: int, last: int) -> None:
        name, headers = self._request.name, response.headers
        if response.status_code != HTTPStatus.PARTIAL_CONTENT or headers.get("ETag") != self._found.etag:
            raise OSSSourceChanged(
                f"{name} changed while it was read: it answered {response.status_code} with ETag "
                f"{headers.get('ETag')} to a range of {self._found.etag}; the next attempt reads what is there then. "
                f"If its servers do not agree on ETags, {_REMEDY}"
            )
        told = headers.get("Content-Range", "")
        if parse_content_range(told) != (first, last, self._found.size_bytes):
            raise OSSInvalidSource(
                f"{name} answered Content-Range {told!r} when bytes {first}-{last} of {self._found.size_bytes} were "
                f"asked for: {_REMEDY}"
            )
        if headers.get("Content-Encoding", "identity").lower() != "identity":
            raise OSSInvalidSource(f"{name} answered a range with Content-Encoding: {_REMEDY}")

    def _body(self, response: Response, size_bytes: int) -> bytearray:
        """Read exactly so many bytes. Raises OSSSourceUnavailable for fewer, OSSInvalidSource for more."""
        data = bytearray(size_bytes)
        done = 0
        for chunk in body_of(response, self._request):
            if done + len(chunk) > size_bytes:
                raise OSSInvalidSource(
                    f"{self._request.name} sent more than the {size_bytes} bytes of the range asked for: {_REMEDY}"
                )
            data[done : done + len(chunk)] = chunk
            done += len(chunk)
        if done < size_bytes:
            raise OSSSourceUnavailable(f"{self._request.name} broke off after {done} of {size_bytes} bytes of a range")
        return data


class HttpStream:
    """
    An answer that can only be read forward. Called, it yields the bytes; a second call asks again.

    What it yields is the answer as it was sent, compressed if it is, unless ``decompress`` is set.
    """

    def __init__(self, request: HttpRequest, response: Response, options: AnswerOptions, retry: RetryPolicy) -> None:
        self._request = request
        self._options = options
        self._repeating = make_retrying(retry)
        self._unread: Response | None = response
        self.content_type = _content_type(response.headers)
        self.content_encoding = _content_encoding(response)

    def __call__(self) -> Iterator[bytes]:
        """Yield the bytes. Raises OSSSourceUnavailable when they end before they should, OSSSourceChanged."""
        response = self._unread or self._repeating(self._request.send, {})
        self._unread = None
        try:
            if _content_encoding(response) != self.content_encoding:
                raise OSSSourceChanged(f"{self._request.name} answers with another Content-Encoding than before")
            yield from self._read(response)
        finally:
            response.close()

    def close(self) -> None:
        """Give up an answer that was not read."""
        unread, self._unread = self._unread, None
        if unread is not None:
            unread.close()

    def _read(self, response: Response) -> Iterator[bytes]:
        if response.status_code not in WHOLE:
            raise OSSInvalidSource(
                f"{self._request.name} answered {response.status_code} to a request for all of its content"
            )
        if not self._options.trust_connection_close:
            check_end_is_marked(response, self._request.name)
        chunks = body_of(response, self._request)
        if self._options.decompress and self.content_encoding is not None:
            return decompressed(chunks, self.content_encoding, self._request.name)
        return chunks


def _content_type(headers: Mapping[str, str]) -> str | None:
    """Return the type that the answer states; None for what no header may hold."""
    told = _joined(headers.get("Content-Type", ""))
    return told if told and told.isprintable() else None


def _joined(text: str) -> str:
    """Return it with one space for all white space between two words: a header may have been folded."""
    return re.sub(r"[ \t\r\n]+", " ", text).strip()


def _content_encoding(response: Response) -> str | None:
    encoding = _joined(response.headers.get("Content-Encoding", ""))
    return None if encoding.lower() in {"", "identity"} else encoding
