"""One HTTP request that is sent again and again, from several threads; its failures as this package's errors."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from airflow_provider_oss.exceptions import OSSInvalidSource, OSSProviderError, OSSSourceUnavailable
from airflow_provider_oss.sources.urls import redacted, shown

if TYPE_CHECKING:
    from requests import Response, Session

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

        It is prepared anew each time: signatures and digests belong to one request. Raises OSSSourceUnavailable when
        the same request may succeed later (no connection, 408, 425, 429, 5xx but 501 and 505), OSSInvalidSource
        when not.
        """
        from requests import Request, RequestException

        request = Request(
            self.method,
            self.url,
            params=self.params,
            data=self.data,
            headers={**self.headers, **headers},
            **self.arguments,
        )
        # Neither chained nor shown as it is: what requests says names the whole URL
        problem: OSSProviderError
        try:
            prepared = self.session.prepare_request(request)
            settings = self.session.merge_environment_settings(
                prepared.url or self.url,
                proxies=self.session.proxies,
                stream=True,
                verify=self.session.verify,
                cert=self.session.cert,
            )
            response = self.session.send(
                prepared, timeout=self.timeout_seconds, allow_redirects=self.allow_redirects, **settings
            )
        except (RequestException, OSError) as error:
            problem = self._renamed(error)
        else:
            return self._judged(response)
        raise problem

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

    def _judged(self, response: Response) -> Response:
        status = response.status_code
        if status in WHOLE or status in _OF_RANGES:
            return response
        response.close()
        answer = f"{self.name} answered {status} {response.reason}"
        if status in _WORTH_REPEATING:
            raise OSSSourceUnavailable(answer)
        raise OSSInvalidSource(f"{answer}: check endpoint, method and the connection's credentials")


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


def _reason(error: Exception) -> str:
    return redacted(f"{type(error).__name__}: {error}")
