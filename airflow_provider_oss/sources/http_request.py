"""
One HTTP request that is sent again and again, from several threads.

It follows redirects itself, so that nothing secret goes to another host, and its failures are this package's errors.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, field
from http import HTTPStatus
from http.cookiejar import CookieJar
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from airflow_provider_oss.cancellation import interruptible
from airflow_provider_oss.exceptions import OSSInvalidArgument, OSSInvalidSource, OSSProviderError, OSSSourceUnavailable
from airflow_provider_oss.options import mapping_of
from airflow_provider_oss.shown import a_type
from airflow_provider_oss.uri import redacted, shown

if TYPE_CHECKING:
    from requests import PreparedRequest, Response, Session


_MOST_UNWANTED_BYTES: Final = 64 * 1024
_MOST_UNWANTED_SECONDS: Final = 5.0
"""Reading so much of a body keeps its connection; beyond that a new one costs less."""
_READ_BYTES: Final = 8 * 1024
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_NO_SECRETS: Final = frozenset(
    {
        "accept",
        "accept-encoding",
        "accept-language",
        "connection",
        "if-range",
        "proxy-authorization",  # made anew for each request, for the proxy
        "range",
        "user-agent",
    }
)
"""Headers that any host may see. All others may be secrets, whatever they are called."""


def bound_bodies(request: PreparedRequest) -> None:
    """Let what requests and its authentication read of bodies nobody wants be little: see ``unwanted_body``."""
    # Before the hooks of an authentication, which read what is refused, and after them, for they send it again
    request.hooks["response"] = [unwanted_body, *request.hooks["response"], unwanted_body]


def unwanted_body(response: Response, **_: Any) -> None:
    """Read at most 64 KiB of a redirect's or an error's body, and close the connection where there is more."""
    is_wanted = response.status_code < HTTPStatus.MULTIPLE_CHOICES
    if is_wanted or response._content is not False:  # noqa: SLF001 - whether it has been read: no other way tells
        return
    head = _head(response)
    # Else requests reads all of a redirect's body, however long it is, also where no redirect is to be followed
    response._content, response._content_consumed = head, True  # noqa: SLF001


def _head(response: Response) -> bytes:
    """Return the body, if it is short and comes soon; else close its connection and return nothing."""
    from urllib3.exceptions import HTTPError

    head, until = bytearray(), time.monotonic() + _MOST_UNWANTED_SECONDS
    # Returns what is there; what waits for a whole block would wait for a server that sends a byte now and then
    read = getattr(response.raw, "read1", None)
    with suppress(HTTPError, OSError, ValueError):  # it is not wanted anyway
        while read is not None and len(head) <= _MOST_UNWANTED_BYTES and time.monotonic() <= until:
            block = read(_READ_BYTES, decode_content=False)
            if not block:
                return bytes(head)
            head += block
    response.raw.close()
    return b""


def without_cookies(session: Session) -> Session:
    """Return a session for another origin: as this one and over its connections, with cookies of its own."""
    from requests.cookies import RequestsCookieJar

    other = copy(session)
    other.cookies = RequestsCookieJar()
    return other


def following(response: Response) -> PreparedRequest | None:
    """
    Return the request that a redirect asks for; None for any other answer.

    To another host, port or scheme go neither headers that may be secrets, nor cookies, nor what answers a challenge;
    for a body, which may be one too, OSSInvalidSource is raised. From http to https of the same host, on their own
    ports, all of it goes, as requests has it for its Authorization.
    """
    from requests.cookies import RequestsCookieJar

    request = response.next
    if request is None or is_same_origin(response.url, request.url or ""):
        return request
    if request.body is not None:
        raise OSSInvalidSource(
            f"{shown(response.url)} redirects a {request.method} to another host, {_host(request.url)}, which is not "
            "given its body: name that host in the HTTP connection if the body is for it"
        )
    for name in [name for name in request.headers if name.lower() not in _NO_SECRETS]:
        del request.headers[name]
    request._cookies = RequestsCookieJar()  # noqa: SLF001 - what a further redirect sends
    request.hooks = {"response": [unwanted_body]}
    return request


def is_same_origin(url: str, other: str) -> bool:
    """Whether what is for the host of one URL is for that of the other. Raises ValueError for what is no URL."""
    scheme, host, port = _origin(url)
    other_origin = _origin(other)
    return other_origin in ((scheme, host, port), _secured(scheme, host, port))


def _secured(scheme: str, host: str, port: int | None) -> tuple[str, str, int | None]:
    return ("https", host, 443) if (scheme, port) == ("http", 80) else (scheme, host, port)


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    return scheme, parts.hostname or "", parts.port or _DEFAULT_PORTS.get(scheme)


def _host(url: str | None) -> str:
    return urlsplit(url or "").hostname or ""


DEFAULT_TIMEOUT_SECONDS: Final = (10.0, 60.0)
"""To connect, and in which nothing moves."""

WHOLE: Final = frozenset({HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.NON_AUTHORITATIVE_INFORMATION})
"""Statuses of answers that are all of the content."""

_OF_RANGES: Final = frozenset(
    {HTTPStatus.PARTIAL_CONTENT, HTTPStatus.PRECONDITION_FAILED, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE}
)
"""What may come when a range is asked for: whoever asks looks at the status."""

_WORTH_REPEATING: Final = frozenset({408, 425, 429, *range(500, 600)}) - {501, 505}
"""With those that only some proxies know (520 to 524), without "not implemented" and "version not supported"."""

_ARGUMENTS: Final = ("auth", "cookies", "files", "hooks", "json")
"""What requests.Request takes and the operator has no argument for."""
_ELSEWHERE: Final = {
    "data": "data",
    "headers": "request_headers",
    "method": "method",
    "params": "data, which is the query of a GET, or endpoint, behind a question mark",
    "url": "endpoint",
}


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """
    What to ask, and the session to ask in. Nothing in it talks to Airflow.

    ``url`` may hold secrets and is never shown as it is: ``name`` is.
    """

    session: Session
    method: str
    url: str
    params: Any = None
    """The query of a GET."""
    data: Any = None
    """The body of any other method."""
    headers: Mapping[str, str] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """More arguments of requests.Request, such as ``json``."""
    timeout_seconds: Any = DEFAULT_TIMEOUT_SECONDS
    allow_redirects: bool = True

    @property
    def name(self) -> str:
        """The URL without user, password, query and fragment."""
        return shown(self.url)

    @property
    def query(self) -> str:
        """What is behind the question mark, as it is sent; empty for what is no URL."""
        from requests import Request, RequestException

        with suppress(RequestException, ValueError):
            return urlsplit(Request(self.method, self.url, params=self.params).prepare().url or "").query
        return ""

    def send(self, headers: Mapping[str, str]) -> Response:
        """
        Send it with more headers and return the answer, whose body is not read yet.

        It is prepared anew each time: signatures and digests belong to one request. Redirects are followed, and what
        is secret goes to no other host: see ``redirects.following``. Of any other body at most 64 KiB are read.

        Raises OSSSourceUnavailable when the same request may succeed later (no connection, 408, 425, 429, 5xx but 501
        and 505, 1xx), OSSInvalidSource when not, OSSInvalidArgument for what requests cannot send.
        """
        from requests import RequestException

        # Neither chained nor shown as it is: what requests says names the whole URL
        problem: OSSProviderError
        try:
            prepared = self._prepared(headers)
            bound_bodies(prepared)
            response = self._followed(prepared)
        except OSSProviderError:
            raise
        except (RequestException, OSError, ValueError) as error:
            problem = self._renamed(error)
        else:
            return self._judged(response, prepared)
        raise problem

    def _prepared(self, headers: Mapping[str, str]) -> PreparedRequest:
        from requests import Request

        try:
            request = Request(
                self.method,
                self.url,
                params=self.params,
                data=self.data,
                headers={**self.headers, **headers},
                **self.arguments,
            )
            return self.session.prepare_request(request)
        except (TypeError, AttributeError) as error:
            reason = _reason(error)
        raise OSSInvalidArgument(f"{self.name} cannot be asked: check data, request_headers, request_kwargs ({reason})")

    def _followed(self, request: PreparedRequest) -> Response:
        """Send it, and what redirects ask for; return the answer to the last one."""
        from requests import TooManyRedirects

        session = self.session
        response = self._sent(session, request, session.cert)
        redirects = 0
        while self.allow_redirects and (following_request := following(response)) is not None:
            redirects += 1
            if redirects > self.session.max_redirects:
                raise TooManyRedirects(f"Exceeded {self.session.max_redirects} redirects.")
            url = following_request.url or ""
            if not is_same_origin(response.url, url):
                session = without_cookies(session)
            is_for_it = is_same_origin(request.url or "", url)
            response = self._sent(session, following_request, session.cert if is_for_it else None)
        return response

    def _sent(self, session: Session, request: PreparedRequest, certificate: Any) -> Response:
        url = request.url or self.url
        settings = session.merge_environment_settings(
            url, proxies=dict(session.proxies), stream=True, verify=session.verify, cert=None
        )
        with interruptible():
            return session.send(
                request, timeout=self.timeout_seconds, allow_redirects=False, **settings | {"cert": certificate}
            )

    def broke_off(self, error: Exception) -> OSSSourceUnavailable:
        """Return the error for an answer whose body could not be read to its end."""
        return OSSSourceUnavailable(f"{self.name} broke off: {_reason(error)}")

    def _renamed(self, error: Exception) -> OSSProviderError:
        from requests import exceptions

        reason = _reason(error)
        if "CERTIFICATE_VERIFY_FAILED" in reason:
            return OSSInvalidSource(
                f"{self.name}: the server's certificate is not trusted: set verify in the connection's extra or in "
                f"extra_options to the path of its CA ({reason})"
            )
        if isinstance(error, exceptions.TooManyRedirects | ValueError):  # no URL, no header, ...
            return OSSInvalidSource(f"{self.name} cannot be asked: {reason}")
        return OSSSourceUnavailable(f"{self.name} could not be read: {reason}")

    def _judged(self, response: Response, asked: PreparedRequest) -> Response:
        status = response.status_code
        if status in WHOLE or status in _OF_RANGES:
            return response
        response.close()
        answer = f"{self.name} answered {status} {response.reason}"
        if not is_same_origin(asked.url or "", response.url):
            answer = f"{answer}, at {shown(response.url)}, which gets no secrets of the connection and of the task"
        if status < HTTPStatus.OK or status in _WORTH_REPEATING:  # 1xx: the answer itself is still to come
            raise OSSSourceUnavailable(answer)
        raise OSSInvalidSource(f"{answer}: check endpoint, method and the connection's credentials")


def new_session() -> Session:
    """Return a session without login."""
    from requests import Session

    return Session()


def widen(session: Session, connections: int) -> None:
    """Let the session keep so many connections to a server, where that is more than it does by itself."""
    from requests.adapters import DEFAULT_POOLSIZE, HTTPAdapter

    for adapter in session.adapters.values():
        if connections > DEFAULT_POOLSIZE and isinstance(adapter, HTTPAdapter):
            adapter.init_poolmanager(DEFAULT_POOLSIZE, connections)


def accepting(of_session: Mapping[str, Any], given: Mapping[str, str], *, compressed: bool) -> dict[str, str]:
    """
    Return the headers that are given, with an Accept-Encoding where neither they nor the session has one.

    What requests puts there by itself does not count: it asks for compression, to take it off again.
    """
    from requests.utils import default_headers

    is_usual = of_session.get("Accept-Encoding") == default_headers()["Accept-Encoding"]
    if not is_usual or "accept-encoding" in {name.lower() for name in given}:
        return dict(given)
    return {"Accept-Encoding": "gzip, deflate" if compressed else "identity", **given}


def request_arguments(given: Any) -> Mapping[str, Any]:
    """Return more arguments of requests.Request. Raises OSSInvalidArgument for what it does not take, by its name."""
    arguments = mapping_of("request_kwargs", given)
    for name, value in arguments.items():
        if name in _ELSEWHERE:
            raise OSSInvalidArgument(f"request_kwargs has {name!r}: give that by {_ELSEWHERE[name]}")
        if name not in _ARGUMENTS:
            raise OSSInvalidArgument(f"request_kwargs has {name!r}: give some of {', '.join(_ARGUMENTS)}")
        if value is not None and (remedy := _remedy(name, value)) is not None:
            raise OSSInvalidArgument(f"request_kwargs[{name!r}] is {a_type(value)}: {remedy}")
    return arguments


def _remedy(name: str, value: Any) -> str | None:
    """Return what to give instead of a value that requests cannot send; None for one that it can."""
    if name == "auth" and not callable(value) and not (isinstance(value, tuple) and len(value) == 2):  # noqa: PLR2004 - user, password
        return "give (user, password), or an authentication of requests"
    if name == "cookies" and not isinstance(value, Mapping | CookieJar):
        return "give a mapping of names to values"
    if name == "files" and not isinstance(value, Mapping | Sequence):
        return "give a mapping of names to contents"
    if name == "hooks" and not isinstance(value, Mapping):
        return "give a mapping of names to functions"
    if name == "json":
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as error:
            return f"give what JSON can hold ({error})"
    return None


def _reason(error: Exception) -> str:
    return redacted(f"{type(error).__name__}: {error}")
