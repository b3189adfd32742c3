"""oss2's errors to ours: the one place where they are renamed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final
from xml.etree.ElementTree import ParseError

from airflow_provider_oss.exceptions import (
    ErrorDetails,
    OSSAccessDenied,
    OSSBadResponse,
    OSSCertificateError,
    OSSChecksumMismatch,
    OSSClockCorrected,
    OSSClockSkew,
    OSSConnectionError,
    OSSConnectionTimeout,
    OSSCredentialsExpired,
    OSSInvalidArgument,
    OSSInvalidPart,
    OSSNoSuchBucket,
    OSSNoSuchKey,
    OSSNoSuchUpload,
    OSSObjectAlreadyExists,
    OSSProviderError,
    OSSRequestRejected,
    OSSServiceUnavailable,
)

if TYPE_CHECKING:
    from oss2.exceptions import OssError, RequestError

    from airflow_provider_oss.clients.signing import ServerClock

_BY_CODE: Final[dict[str, type[OSSProviderError]]] = {
    "AccessKeyIdAndSecurityTokenNotMatch": OSSAccessDenied,
    "FileAlreadyExists": OSSObjectAlreadyExists,
    "InvalidDigest": OSSChecksumMismatch,
    "InvalidPart": OSSInvalidPart,
    "InvalidSecurityToken": OSSCredentialsExpired,
    "NoSuchBucket": OSSNoSuchBucket,
    "NoSuchKey": OSSNoSuchKey,
    "NoSuchUpload": OSSNoSuchUpload,
    "RequestTimeTooSkewed": OSSClockSkew,
    "RequestTimeout": OSSServiceUnavailable,
    "SecurityTokenExpired": OSSCredentialsExpired,
}
_SERVER_ERROR_STATUS: Final = 500
_REMEDIES: Final[dict[str, str]] = {
    "InvalidAccessKeyId": "check the connection's login (AccessKey ID), and the security_token of a temporary key",
    "SignatureDoesNotMatch": "check the connection's password (AccessKey secret)",
    "AccessDenied": "check the RAM policy of the connection's AccessKey, and that the endpoint is the bucket's own",
    "RequestTimeTooSkewed": "set this machine's clock",
    "SecurityTokenExpired": "put a new security_token into the connection",
    "InvalidSecurityToken": "put a valid security_token into the connection",
    "NoSuchBucket": "check the bucket's name and the endpoint's region",
}


@contextmanager
def renamed(details: ErrorDetails, clock: ServerClock) -> Iterator[None]:
    """
    Raise any error of oss2, and any answer it cannot parse, as one of ours that carries ``details``.

    When OSS refuses the time of a request, ``clock`` is corrected by the time of the answer.
    """
    from oss2.exceptions import OssError, RequestError

    offset_seconds = clock.offset_seconds
    try:
        yield
    except RequestError as error:
        raise _connection_error(error, details) from error
    except OssError as error:
        renamed_error = _corrected(_answer_error(error, details), error, clock, offset_seconds)
        _forget_what_was_signed(error)
        raise renamed_error from error
    except (LookupError, ParseError, RuntimeError, ValueError) as error:
        # These are raised, by oss2 too, when an element or header is missing from an answer or not what it should be
        if isinstance(error, OSSProviderError):
            raise
        raise OSSBadResponse(f"the answer of OSS could not be understood: {error}", details) from error


def _forget_what_was_signed(error: OssError) -> None:
    """
    Leave of oss2's error what helps, for it goes into tracebacks as the cause of ours.

    Where a signature is refused OSS's answer repeats the text that was signed, the security token in it included, and
    once more in hexadecimal digits, where no log masker finds it.
    """
    error.args, error.body, error.headers = (), b"", {}
    error.details = {name: error.details[name] for name in ("Code", "Message", "EC") if name in error.details}


def _corrected(
    renamed_error: OSSProviderError, error: OssError, clock: ServerClock, offset_seconds: float
) -> OSSProviderError:
    """Return OSSClockCorrected when the request, signed with ``offset_seconds``, would be signed otherwise now."""
    if not isinstance(renamed_error, OSSClockSkew):
        return renamed_error
    try:
        server_time = parsedate_to_datetime(error.headers.get("Date", "")).timestamp()
    except ValueError:
        return renamed_error
    # Another thread may have corrected it while this request was on its way
    if not clock.correct(server_time) and clock.offset_seconds == offset_seconds:
        return renamed_error
    return OSSClockCorrected(renamed_error.message, renamed_error.details)


def _connection_error(error: RequestError, details: ErrorDetails) -> OSSProviderError:
    from urllib3 import exceptions as urllib3_errors

    cause = error.exception
    if isinstance(cause, urllib3_errors.SSLError):
        return OSSCertificateError(
            f"the TLS connection to OSS failed: {cause}; check the endpoint, or set verify in the connection's extra "
            "to the path of the certificate authority",
            details,
        )
    # NewConnectionError is a ConnectTimeoutError for urllib3's own reasons: a refused connection is no time-out
    if isinstance(cause, urllib3_errors.NewConnectionError):
        return OSSConnectionError(f"no connection to OSS: {cause}", details)
    if isinstance(cause, urllib3_errors.ConnectTimeoutError):
        return OSSConnectionTimeout(
            f"connecting to OSS took too long: {cause}; check the endpoint and the network, or raise connect_timeout "
            "in the connection's extra",
            details,
        )
    if isinstance(cause, urllib3_errors.TimeoutError) or isinstance(_root(cause), TimeoutError):
        return OSSConnectionTimeout(
            f"nothing moved on the connection to OSS for too long: {cause}; raise read_timeout in the connection's "
            "extra, or lower part_size or parallel",
            details,
        )
    return OSSConnectionError(f"the connection to OSS broke: {cause}", details)


def _root(error: BaseException) -> BaseException:
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return error


def _answer_error(error: OssError, details: ErrorDetails) -> OSSProviderError:
    from oss2.exceptions import ClientError

    if isinstance(error, ClientError):
        return OSSInvalidArgument(f"oss2 refuses the call: {error.body}", details)
    if error.status < 0:
        return OSSBadResponse(f"oss2 could not make sense of the call: {error}", details)
    if error.body and not error.code and error.status < _SERVER_ERROR_STATUS:
        return OSSBadResponse(f"HTTP status {error.status} with a body that says no code", details)
    details = replace(
        details,
        http_status=error.status,
        code=error.code or None,
        ec=error.ec or None,
        request_id=error.request_id or None,
    )
    text = error.message or f"OSS answered with HTTP status {error.status}"
    if remedy := _REMEDIES.get(error.code):
        text = f"{text.rstrip('.')}; {remedy}"
    return _error_class(error.status, error.code)(text, details)


def _error_class(status: int, code: str) -> type[OSSProviderError]:
    if code in _BY_CODE:
        return _BY_CODE[code]
    if status >= _SERVER_ERROR_STATUS or status in (408, 429):
        return OSSServiceUnavailable
    if status in (401, 403):
        return OSSAccessDenied
    if status == 404:  # noqa: PLR2004
        return OSSNoSuchKey
    return OSSRequestRejected
