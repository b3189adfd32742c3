"""
``oss2.Bucket`` objects over our session, clock and credentials: for presigned URLs and ``OSSHook.get_conn``.

Importing this imports oss2.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import oss2
from oss2.credentials import StaticCredentialsProvider
from oss2.exceptions import ClientError, RequestError
from oss2.http import CaseInsensitiveDict
from urllib3.exceptions import HTTPError

from airflow_provider_oss.clients.credentials.holder import CredentialsHolder
from airflow_provider_oss.clients.exchange import Response
from airflow_provider_oss.clients.session import PooledSession
from airflow_provider_oss.clients.signing import ServerClock, V4Signer
from airflow_provider_oss.exceptions import ErrorDetails, OSSInvalidArgument, OSSInvalidConnection, OSSProviderError
from airflow_provider_oss.model import ObjectRef

if TYPE_CHECKING:
    from oss2.http import Request

    from airflow_provider_oss.clients.upload_client import OSSApi

_READ_BYTES: Final = 256 * 1024


class Buckets:
    """
    Makes ``oss2.Bucket`` objects that share connections, clock and credentials with the uploads of the same account.

    oss2's own CRC is off (crcmod is 18 times slower than ours and holds the interpreter's lock): whoever writes through
    these compares CRC-64 values itself.
    """

    def __init__(self, api: OSSApi) -> None:
        self._api = api
        self._session = _Session(api.session)
        self._buckets: dict[str, oss2.Bucket] = {}
        # Masking is no answer: Airflow's masker knows the token as it is and not as a URL has it, and what the task of
        # a LocalExecutor logs is repeated, not masked, by the scheduler
        for name in ("oss2.auth", "oss2.api"):
            logging.getLogger(name).addFilter(_shows_no_secret)

    def get(self, name: str) -> oss2.Bucket:
        """Return the bucket; the same object for the same name. Raises OSSInvalidConnection when oss2 refuses it."""
        if name not in self._buckets:
            self._buckets[name] = self._make(name)
        return self._buckets[name]

    def sign_url(
        self, ref: ObjectRef, method: str, expires_seconds: int, headers: Mapping[str, str], params: Mapping[str, str]
    ) -> str:
        """Return a presigned URL. Raises OSSInvalidArgument when oss2 refuses to make it."""
        bucket, given = self.get(ref.bucket), {"headers": dict(headers), "params": dict(params)}
        try:
            # slash_safe: other tools show and split the URL; it makes no difference to the signature
            return str(bucket.sign_url(method, ref.key, expires_seconds, slash_safe=True, **given))
        except ClientError as error:
            raise OSSInvalidArgument(f"oss2 refuses: {error.body}", ErrorDetails(ref.bucket, ref.key)) from error

    def _make(self, name: str) -> oss2.Bucket:
        settings = self._api.settings
        parts = urlsplit(settings.endpoint)
        # oss2 refuses the brackets of an IPv6 address when it is given one, and knows them when it makes a URL
        is_address = parts.netloc.startswith("[")
        try:
            bucket = oss2.Bucket(
                self._auth(),
                f"{parts.scheme}://localhost" if is_address else settings.endpoint,
                name,
                enable_crc=False,
                is_cname=settings.addressing_style == "cname",
                session=self._session,
                app_name="airflow-provider-oss",
                region=settings.region,
                is_path_style=settings.addressing_style == "path",
            )
        except ClientError as error:
            raise OSSInvalidConnection(f"endpoint {settings.endpoint!r} cannot be used: {error.body}") from error
        if is_address:
            bucket.endpoint, bucket._make_url.netloc = settings.endpoint, parts.netloc  # noqa: SLF001 - as above
        return bucket

    def _auth(self) -> V1Auth | V4Auth:
        auth_class = V4Auth if self._api.settings.signature_version == "v4" else V1Auth
        return auth_class(self._api.credentials, self._api.clock)


class _Auth:
    """The ``auth`` of an ``oss2.Bucket``: signs requests, and leaves everything else to oss2's own."""

    def __init__(self, oss2_auth: Any, holder: CredentialsHolder, clock: ServerClock) -> None:
        self._oss2_auth = oss2_auth
        self._holder = holder
        self._clock = clock

    def __getattr__(self, name: str) -> Any:
        return getattr(self._oss2_auth, name)


class V1Auth(_Auth):
    """Signs by oss2 (V1), at OSS's time."""

    def __init__(self, holder: CredentialsHolder, clock: ServerClock) -> None:
        super().__init__(oss2.ProviderAuth(_Provider(holder)), holder, clock)

    def _sign_request(self, req: Request, bucket_name: str, key: str) -> None:
        # Where this header is present it is signed in place of Date (OSS API: signature version 1)
        req.headers["x-oss-date"] = formatdate(self._clock.now(), usegmt=True)
        self._oss2_auth._sign_request(req, bucket_name, key)  # noqa: SLF001 - oss2's own interface


class V4Auth(_Auth):
    """Signs by ``signing.V4Signer``."""

    def __init__(self, holder: CredentialsHolder, clock: ServerClock) -> None:
        super().__init__(oss2.ProviderAuthV4(_Provider(holder)), holder, clock)

    def _sign_request(self, req: Request, bucket_name: str, key: str) -> None:
        headers = {name.lower(): value for name, value in req.headers.items() if value is not None}
        V4Signer(self._holder, self._clock, req.region).sign(req.method, bucket_name, key, req.params, headers)
        req.headers.update(headers)


class _Provider:
    """The credentials of a holder, as oss2 asks for them."""

    def __init__(self, holder: CredentialsHolder) -> None:
        self._holder = holder

    def get_credentials(self) -> Any:
        current = self._holder.current
        provider = StaticCredentialsProvider(current.access_key_id, current.access_key_secret, current.security_token)
        return provider.get_credentials()


class _Session:
    """The ``session`` of an ``oss2.Bucket``: sends its requests over our connections."""

    def __init__(self, session: PooledSession) -> None:
        self._session = session

    def do_request(self, request: Request, timeout: Any) -> _Answer:  # noqa: ARG002 - oss2 passes its own timeout
        """Send oss2's request once. Raises ``oss2.exceptions.RequestError``, as oss2's own session does."""
        headers = {name.lower(): _text(value) for name, value in request.headers.items() if value is not None}
        body = request.data
        if hasattr(body, "read"):
            if hasattr(body, "__len__"):
                headers["content-length"] = str(len(body))
            body = _blocks(body)
        with _as_oss2_raises():
            exchange = self._session.begin(
                request.method, request.url, request.params, headers, body, is_document=request.method != "GET"
            )
            return _Answer(exchange.wait())


def _blocks(body: Any) -> Iterator[bytes]:
    """Read to the end, at which oss2's adapters return an empty text."""
    while block := body.read(_READ_BYTES):
        yield block


@contextmanager
def _as_oss2_raises() -> Iterator[None]:
    try:
        yield
    except OSSProviderError:
        raise
    except (HTTPError, ValueError) as error:
        raise RequestError(error) from error


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


class _Answer:
    """An answer, as oss2 reads it."""

    def __init__(self, response: Response) -> None:
        self._response = response
        self.status = response.status
        self.headers = CaseInsensitiveDict(response.headers.items())
        self.request_id = response.request_id

    def read(self, amt: int | None = None) -> bytes:
        """Return up to ``amt`` bytes of the body, or all that is left. Raises RequestError when it breaks off."""
        with _as_oss2_raises():
            return self._response.read(amt)

    def __iter__(self) -> Iterator[bytes]:
        while chunk := self.read(_READ_BYTES):
            yield chunk

    def close(self) -> None:
        """Give the connection up, whatever is left of the body."""
        self._response.close()

    def __del__(self) -> None:
        """Close: oss2 leaves answers that it does not read to their end as they are."""
        self.close()


def _shows_no_secret(record: logging.LogRecord) -> bool:
    """
    Whether a log record of oss2 can hold no security token: what it signs has one, and so may OSS's answers.

    The answer to a wrong signature repeats what was signed. Nothing is lost, for what OSS answers is in our errors.
    """
    is_signed_text = record.name == "oss2.auth" and record.levelno <= logging.DEBUG
    return not is_signed_text and not record.getMessage().startswith("Exception: ")
