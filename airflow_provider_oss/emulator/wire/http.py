"""A request as it was received and a response as it will be sent, free of any web framework."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote_to_bytes

from airflow_provider_oss.emulator.wire.xml import render

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_provider_oss.emulator.state.records import Segment
    from airflow_provider_oss.emulator.wire.xml import Element

XML_CONTENT_TYPE: Final = "application/xml"


@dataclass(frozen=True, slots=True)
class Target:
    """What a request is about; an empty bucket means the service, an empty key the bucket."""

    bucket: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """The head of a request. Header names are lower-case, header values the received bytes read as Latin-1."""

    method: str
    raw_path: bytes
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]

    def header(self, name: str, default: str = "") -> str:
        """Return the value of a header, ``default`` when it is absent."""
        return self.headers.get(name, default)

    def parameter(self, name: str, default: str = "") -> str:
        """Return the first value of a query parameter, ``default`` when it is absent."""
        return next((value for found, value in self.query if found == name), default)

    def has_parameter(self, name: str) -> bool:
        """Whether the query names the parameter, with or without a value."""
        return any(found == name for found, _ in self.query)


@dataclass(frozen=True, slots=True)
class Payload:
    """Bytes of an object to send: ``length`` of them, from ``offset`` on, out of the segments."""

    segments: tuple[Segment, ...]
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Response:
    """A response without the headers that every response carries; the content length follows from the content."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | Payload = b""
    rate_bytes_per_second: float | None = None
    """How fast the body may be sent."""
    is_head_only: bool = False
    """Whether the body is left out though the head tells its length: the connection ends then."""
    is_gzipped: bool = False
    """Whether the body is compressed while it is sent, in chunks: its head tells no length."""

    @property
    def content_length(self) -> int:
        """Bytes of the body."""
        return self.content.length if isinstance(self.content, Payload) else len(self.content)


def xml_response(root: Element, headers: Mapping[str, str] | None = None, *, status: int = 200) -> Response:
    """Return a response whose body is the document."""
    return Response(status, {"Content-Type": XML_CONTENT_TYPE, **(headers or {})}, render(root))


def decode_percent(raw: bytes | str) -> str:
    """Percent-decode once and read as UTF-8; bytes that are no UTF-8 survive as surrogates. ``+`` stays ``+``."""
    return unquote_to_bytes(raw).decode("utf-8", "surrogateescape")


def encode_percent(text: str, safe: str = "") -> str:
    """Percent-encode everything but ``A-Za-z0-9-_.~`` and ``safe``."""
    return quote(text.encode("utf-8", "surrogateescape"), safe=safe)


def parse_query(raw: bytes) -> tuple[tuple[str, str], ...]:
    """
    Split and decode a query string, keeping order and parameters without a value.

    Unlike in a path, ``+`` is a space here: one official client sends it so and signs a space.
    """
    pairs = (item.partition(b"=") for item in raw.replace(b"+", b" ").split(b"&") if item)
    return tuple((decode_percent(name), decode_percent(value)) for name, _, value in pairs)


def parse_headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Lower-case the names; a header sent twice is joined by a comma."""
    headers: dict[str, str] = {}
    for name, value in raw:
        text = value.decode("latin-1")
        lowered = name.decode("latin-1").lower()
        headers[lowered] = f"{headers[lowered]},{text}" if lowered in headers else text
    return headers


def header_text(text: str) -> str:
    """Return a Unicode text as a header value: its UTF-8 bytes read as Latin-1."""
    return text.encode("utf-8", "surrogateescape").decode("latin-1")
