"""
What a server answers to a GET, as a source: in ranges where it promises that all of them are of the same content.

That promise is a strong ETag: each range is asked for on condition that the ETag is still the same (If-Range), and each
answer says which bytes it holds of how many. Everything else is read forward, from its beginning in every attempt: an
answer without ranges or length, without a strong ETag, with a Content-Encoding (often made on the fly), or to a POST.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from airflow_provider_oss.exceptions import OSSInvalidSource, OSSSourceChanged, OSSSourceUnavailable
from airflow_provider_oss.model import Fingerprint, Part
from airflow_provider_oss.sources.http_body import body_of, check_end_is_marked, decompressed
from airflow_provider_oss.sources.http_request import WHOLE, HttpRequest
from airflow_provider_oss.sources.repeating import repeating
from airflow_provider_oss.sources.versions import strong_etag, version_of
from airflow_provider_oss.transfer.retry import RetryPolicy

if TYPE_CHECKING:
    from requests import Response

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
class StreamOptions:
    """How an answer is read forward."""

    decompress: bool = False
    trust_connection_close: bool = False


def open_http(
    request: HttpRequest, *, use_ranges: bool, options: StreamOptions, retry: RetryPolicy
) -> HttpSource | HttpStream:
    """
    Ask the server and return what its answer can be read by: HttpSource in ranges, HttpStream forward.

    Raises as ``HttpRequest.send``. An HttpStream holds an open answer: close it.
    """
    if request.method not in _IDEMPOTENT:
        retry = RetryPolicy(tries=1)
    if not use_ranges or request.method != "GET":
        return HttpStream(request, repeating(retry)(request.send, {}), options, retry)
    first = repeating(retry)(request.send, {"Range": "bytes=0-0"})
    found = representation(first.status_code, first.headers)
    if found is not None:
        first.close()
        return HttpSource(request, found, retry)
    if first.status_code == HTTPStatus.OK:
        return HttpStream(request, first, options, retry)
    first.close()  # a range of it: it is asked for again as a whole
    return HttpStream(request, repeating(retry)(request.send, {}), options, retry)


def representation(status: int, headers: Mapping[str, str]) -> Representation | None:
    """Return what the answer to a range promises of the whole; None when that is too little to read it in ranges."""
    etag = strong_etag(headers.get("ETag"))
    content_range = parse_content_range(headers.get("Content-Range", ""))
    is_encoded = headers.get("Content-Encoding", "identity").lower() != "identity"
    if status != HTTPStatus.PARTIAL_CONTENT or etag is None or content_range is None or is_encoded:
        return None
    return Representation(content_range[2], etag, _iso_time(headers), headers.get("Content-Type"))


def parse_content_range(text: str) -> tuple[int, int, int] | None:
    """Return first byte, last byte and size of ``bytes 0-99/1000``; None for anything else, and an unknown size."""
    unit, _, rest = text.strip().partition(" ")
    numbers = rest.replace("/", "-").split("-")
    if unit.lower() != "bytes" or len(numbers) != 3 or not all(part.isascii() and part.isdigit() for part in numbers):  # noqa: PLR2004 - first, last, size
        return None
    first, last, size = map(int, numbers)
    return first, last, size


def _iso_time(headers: Mapping[str, str]) -> str | None:
    try:
        return parsedate_to_datetime(headers["Last-Modified"]).isoformat()
    except (KeyError, ValueError):
        return None


@dataclass(frozen=True, slots=True)
class HttpSource:
    """Content that a server sends in ranges, on condition that it is still the same."""

    request: HttpRequest
    found: Representation
    retry: RetryPolicy = field(default_factory=RetryPolicy)

    @property
    def content_type(self) -> str | None:
        """As the server told it."""
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
        self._repeating = repeating(source.retry)
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

    def __init__(self, request: HttpRequest, response: Response, options: StreamOptions, retry: RetryPolicy) -> None:
        self._request = request
        self._options = options
        self._repeating = repeating(retry)
        self._unread: Response | None = response
        self.content_type = response.headers.get("Content-Type")
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


def _content_encoding(response: Response) -> str | None:
    encoding = response.headers.get("Content-Encoding", "").strip()
    return None if encoding.lower() in {"", "identity"} else encoding
