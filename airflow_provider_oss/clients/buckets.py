"""oss2 over our session, clock and credentials: for all that uploading does not need. Importing this imports oss2."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import oss2
from oss2.credentials import StaticCredentialsProvider
from oss2.exceptions import ClientError, OssError, RequestError
from oss2.http import CaseInsensitiveDict
from oss2.models import BucketCreateConfig, Tagging, TaggingRule
from urllib3.exceptions import HTTPError

from airflow_provider_oss.clients.credentials.holder import CredentialsHolder
from airflow_provider_oss.clients.errors import ClockCheck, answer_error, connection_error, renamed
from airflow_provider_oss.clients.session import PooledSession, Response
from airflow_provider_oss.clients.signing import ServerClock, V4Signer
from airflow_provider_oss.exceptions import (
    ErrorDetails,
    OSSBadResponse,
    OSSInvalidArgument,
    OSSInvalidConnection,
    OSSProviderError,
)
from airflow_provider_oss.model import BucketProperties, ObjectRef

if TYPE_CHECKING:
    from oss2.http import Request

    from airflow_provider_oss.clients.api import OSSApi


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
            logging.getLogger(name).addFilter(_tells_no_secret)

    def get(self, name: str) -> oss2.Bucket:
        """Return the bucket; the same object for the same name. Raises OSSInvalidConnection when oss2 refuses it."""
        if name not in self._buckets:
            self._buckets[name] = self._make(name)
        return self._buckets[name]

    def create(self, name: str, properties: BucketProperties) -> None:
        """Create a bucket. What the properties leave out is OSS's default."""
        configuration = None
        if properties.storage_class is not None or properties.redundancy is not None:
            # A document without a storage class means the default too, but oss2 always writes one
            configuration = BucketCreateConfig(properties.storage_class or "Standard", properties.redundancy)
        self.get(name).create_bucket(properties.acl, configuration)

    def put_tags(self, ref: ObjectRef, tags: Mapping[str, str]) -> None:
        """Give an object these tags and no others."""
        rule = TaggingRule()
        for tag, value in tags.items():
            rule.add(tag, value)
        self.get(ref.bucket).put_object_tagging(ref.key, Tagging(rule))

    def service(self) -> oss2.Service:
        """Return what answers for the account as a whole."""
        return oss2.Service(self._auth(), self._api.settings.endpoint, **self._common())

    def _make(self, name: str) -> oss2.Bucket:
        settings = self._api.settings
        try:
            return oss2.Bucket(
                self._auth(),
                settings.endpoint,
                name,
                enable_crc=False,
                is_cname=settings.addressing_style == "cname",
                **self._common(),
            )
        except ClientError as error:
            raise OSSInvalidConnection(f"endpoint {settings.endpoint!r} cannot be used: {error.body}") from error

    def _common(self) -> dict[str, Any]:
        return {
            "session": self._session,
            "app_name": "airflow-provider-oss",
            "region": self._api.settings.region,
            "is_path_style": self._api.settings.addressing_style == "path",
        }

    def _auth(self) -> V1Auth | V4Auth:
        auth_class = V4Auth if self._api.settings.signature_version == "v4" else V1Auth
        return auth_class(self._api.credentials, self._api.clock)


class _Auth:
    """What ``oss2.Bucket`` asks of its ``auth``; all but the signing of requests is left to oss2's own."""

    def __init__(self, oss2_auth: Any, holder: CredentialsHolder, clock: ServerClock) -> None:
        self._oss2_auth = oss2_auth
        self._holder = holder
        self._clock = clock

    def __getattr__(self, name: str) -> Any:
        return getattr(self._oss2_auth, name)


class V1Auth(_Auth):
    """V1 signatures are oss2's, at OSS's time."""

    def __init__(self, holder: CredentialsHolder, clock: ServerClock) -> None:
        super().__init__(oss2.ProviderAuth(_Provider(holder)), holder, clock)

    def _sign_request(self, req: Request, bucket_name: str, key: str) -> None:
        # Where this header is present it is signed in place of Date (OSS API: signature version 1)
        req.headers["x-oss-date"] = formatdate(self._clock.now(), usegmt=True)
        self._oss2_auth._sign_request(req, bucket_name, key)  # noqa: SLF001 - oss2's own interface


class V4Auth(_Auth):
    """V4 signatures are ours."""

    def __init__(self, holder: CredentialsHolder, clock: ServerClock) -> None:
        super().__init__(oss2.ProviderAuthV4(_Provider(holder)), holder, clock)

    def _sign_request(self, req: Request, bucket_name: str, key: str) -> None:
        headers = {name.lower(): value for name, value in req.headers.items() if value is not None}
        V4Signer(self._holder, self._clock, req.region).sign(req.method, bucket_name, key, req.params, headers)
        req.headers.update(headers)


class _Provider:
    """oss2's provider interface."""

    def __init__(self, holder: CredentialsHolder) -> None:
        self._holder = holder

    def get_credentials(self) -> Any:
        current = self._holder.current
        provider = StaticCredentialsProvider(current.access_key_id, current.access_key_secret, current.security_token)
        return provider.get_credentials()


class _Session:
    """What oss2 takes as its public ``session=``."""

    def __init__(self, session: PooledSession) -> None:
        self._session = session

    def do_request(self, request: Request, timeout: Any) -> _Answer:  # noqa: ARG002 - oss2 passes its own time-out
        """Send oss2's request once. Raises ``oss2.exceptions.RequestError``, as oss2's own session does."""
        headers = {name: _text(value) for name, value in request.headers.items() if value is not None}
        try:
            return _Answer(self._session.send(request.method, request.url, request.params, headers, request.data))
        except HTTPError as error:
            raise RequestError(error) from error


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


class _Answer:
    """The answer as oss2 reads it."""

    def __init__(self, response: Response) -> None:
        self._response = response
        self.status = response.status
        self.headers = CaseInsensitiveDict(response.headers.items())
        self.request_id = response.request_id
        self.document = b""
        """The body, if it was read in one."""

    def read(self, amt: int | None = None) -> bytes:
        """Return up to ``amt`` bytes of the body, or all that is left. Raises RequestError when it breaks off."""
        try:
            data = self._response.read(amt)
        except HTTPError as error:
            raise RequestError(error) from error
        if amt is None:
            self.document = data
        return data

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._response)

    def close(self) -> None:
        """Give the connection up, whatever is left of the body."""
        self._response.close()

    def __del__(self) -> None:
        """Close: oss2 leaves answers that it does not read to their end as they are."""
        self.close()


@contextmanager
def renamed_oss2(details: ErrorDetails, clock: ServerClock) -> Iterator[None]:
    """
    Raise any error of oss2, and any answer it cannot parse, as one of ours that carries ``details``.

    When OSS refuses the time of a request, ``clock`` is corrected by the time of the answer.
    """
    clock_check = ClockCheck(clock)
    with renamed(details):
        try:
            yield
        except RequestError as error:
            raise connection_error(error.exception, details) from error
        except ClientError as error:
            raise OSSInvalidArgument(f"oss2 refuses the call: {error.body}", details) from error
        except OssError as error:
            ours = clock_check.corrected(_answer_error(error, details), error.headers)
            _forget_what_was_signed(error)
            raise ours from error


def _answer_error(error: OssError, details: ErrorDetails) -> OSSProviderError:
    if error.status < 0:
        return OSSBadResponse(f"oss2 could not make sense of the call: {error}", details)
    return answer_error(error.status, error.headers, error.details, details, has_document=bool(error.body))


def _forget_what_was_signed(error: OssError) -> None:
    """
    Leave of oss2's error what helps, for it goes into tracebacks as the cause of ours.

    Where a signature is refused OSS's answer repeats the text that was signed, the security token in it included, and
    once more in hexadecimal digits, where no log masker finds it.
    """
    error.args, error.body, error.headers = (), b"", {}
    error.details = {name: error.details[name] for name in ("Code", "Message", "EC") if name in error.details}


def _tells_no_secret(record: logging.LogRecord) -> bool:
    """
    Keep out of the log where oss2 shows a security token: what it signs, and OSS's answers.

    The answer to a wrong signature repeats what was signed. Nothing is lost, for what OSS answers is in our errors.
    """
    is_signed_text = record.name == "oss2.auth" and record.levelno <= logging.DEBUG
    return not is_signed_text and not record.getMessage().startswith("Exception: ")
