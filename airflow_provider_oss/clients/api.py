"""The calls of OSS's API, signed and sent; nothing of an SDK is needed for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from airflow_provider_oss import __version__
from airflow_provider_oss.clients.addressing import Addressing
from airflow_provider_oss.clients.answers import Answer
from airflow_provider_oss.clients.credentials.holder import CredentialsHolder
from airflow_provider_oss.clients.credentials.sources import Credentials
from airflow_provider_oss.clients.errors import ClockCheck, proves_signature, refusal, renamed
from airflow_provider_oss.clients.session import PooledSession, Response
from airflow_provider_oss.clients.settings import ClientSettings
from airflow_provider_oss.clients.signing import ServerClock, make_signer
from airflow_provider_oss.exceptions import ErrorDetails, OSSCredentialsExpired, OSSProviderError
from airflow_provider_oss.ports import Body

_POOL_SIZE: Final = 100
"""Connections kept open: as many as there may be part workers."""
_USER_AGENT: Final = f"airflow-provider-oss/{__version__}"


class OSSApi:
    """
    One account at one endpoint. Thread-safe.

    oss2 would do the same, but importing it takes longer than sending half a gigabyte (it brings two more SDKs), and
    every task that uploads is a process of its own. What is not needed for uploading is left to it, see ``buckets``.
    """

    def __init__(self, settings: ClientSettings, on_new_credentials: Callable[[Credentials], None]) -> None:
        self.settings = settings
        self.clock = ServerClock()
        self.credentials = CredentialsHolder(settings.credentials, on_new_credentials, self.clock.now)
        self.session = PooledSession(settings, _POOL_SIZE)
        self._addressing = Addressing(settings)
        self._signer = make_signer(settings, self.credentials, self.clock)

    def call(
        self,
        method: str,
        details: ErrorDetails,
        params: Mapping[str, str],
        headers: Mapping[str, str],
        body: Body | Iterator[bytes] | None = None,
        *,
        reads_document: bool = True,
    ) -> Answer:
        """Send one request and return its answer. See ``begin``."""
        return self.begin(method, details, params, headers, body, reads_document=reads_document)()

    def begin(
        self,
        method: str,
        details: ErrorDetails,
        params: Mapping[str, str],
        headers: Mapping[str, str],
        body: Body | Iterator[bytes] | None = None,
        *,
        reads_document: bool = True,
    ) -> Callable[[], Answer]:
        """
        Send one request about the bucket and key of ``details``, once; return what waits for its answer.

        ``headers`` have names in lower case. Without ``reads_document`` nothing but the headers of a success is needed:
        whatever else comes is ignored. Both steps raise the classes of ``exceptions`` for an answer that is no success
        and for none at all, with ``details``. When OSS refuses the time of the request, the clock is corrected.
        """
        opening = self._begin(method, details, params, headers, body)

        def finish() -> Answer:
            response = opening()
            with renamed(details):
                document = response.read() if reads_document else b""
                response.close()
            return Answer(response.status, response.headers, document)

        return finish

    def open(self, details: ErrorDetails, params: Mapping[str, str], headers: Mapping[str, str]) -> Response:
        """Send a GET and return its successful answer, to be read, and closed, by the caller. Raises as ``begin``."""
        return self._begin("GET", details, params, headers, None)()

    def _begin(
        self,
        method: str,
        details: ErrorDetails,
        params: Mapping[str, str],
        headers: Mapping[str, str],
        body: Body | Iterator[bytes] | None,
    ) -> Callable[[], Response]:
        bucket, key = details.bucket or "", details.key or ""
        clock_check = ClockCheck(self.clock)
        signed = {"user-agent": _USER_AGENT, **headers}
        self._signer.sign(method, bucket, key, params, signed)
        with renamed(details):
            pending = self.session.begin(method, self._addressing.url(bucket, key), params, signed, body)

        def finish() -> Response:
            with renamed(details):
                response = pending.wait()
                if response.status // 100 == 2:  # noqa: PLR2004
                    self.credentials.accepted()
                    return response
                document = response.read()
                response.close()
            answer = Answer(response.status, response.headers, document)
            # Not kept in a variable here: with its traceback it would keep this frame, and a connection, alive
            raise self._noted(clock_check.corrected(refusal(answer, details), answer.headers), signed)

        return finish

    def _noted(self, error: OSSProviderError, signed: Mapping[str, str]) -> OSSProviderError:
        if isinstance(error, OSSCredentialsExpired):
            self.credentials.refused(signed.get("x-oss-security-token"))
        elif proves_signature(error):
            self.credentials.accepted()
        return error
