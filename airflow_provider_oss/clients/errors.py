"""Broken connections and answers that are no success to our errors: the one place where they are named."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from email.utils import parsedate_to_datetime
from typing import Final
from xml.etree import ElementTree as ET

from urllib3 import exceptions as urllib3_errors

from airflow_provider_oss.clients.answers import Answer
from airflow_provider_oss.clients.signing import ServerClock
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
    OSSInvalidPart,
    OSSNoSuchBucket,
    OSSNoSuchKey,
    OSSNoSuchUpload,
    OSSObjectAlreadyExists,
    OSSProviderError,
    OSSRequestRejected,
    OSSServiceUnavailable,
    OSSSourceChanged,
)

_BY_CODE: Final[dict[str, type[OSSProviderError]]] = {
    "AccessKeyIdAndSecurityTokenNotMatch": OSSAccessDenied,
    "FileAlreadyExists": OSSObjectAlreadyExists,
    "InvalidDigest": OSSChecksumMismatch,
    "InvalidPart": OSSInvalidPart,
    "InvalidSecurityToken": OSSCredentialsExpired,
    "NoSuchBucket": OSSNoSuchBucket,
    "NoSuchKey": OSSNoSuchKey,
    "NoSuchUpload": OSSNoSuchUpload,
    "PreconditionFailed": OSSSourceChanged,
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
    "SecurityTokenExpired": "put a new security_token into the connection, or let a credential_source renew it",
    "InvalidSecurityToken": "put a valid security_token into the connection, or look at its credential_source",
    "NoSuchBucket": "check the bucket's name and the endpoint's region",
    "PreconditionFailed": "the object was replaced while it was read: let its writer finish, then read it again",
    "BucketAlreadyExists": "bucket names are unique among all users of OSS: choose another, or the properties it has",
    "BucketNotEmpty": "objects, versions of them or unfinished multipart uploads are left: delete them first",
}
_REMEDIES_BY_EC: Final[dict[str, str]] = {
    "0002-00000226": "set region in the connection's extra to the endpoint's region",
}


@contextmanager
def renamed(details: ErrorDetails) -> Iterator[None]:
    """Raise what urllib3 says, and any answer that cannot be parsed, as one of our errors that carries ``details``."""
    try:
        yield
    except urllib3_errors.HTTPError as error:
        raise connection_error(error, details) from error
    except (LookupError, ET.ParseError, RuntimeError, ValueError) as error:
        # These are raised, by oss2 too, when an element or header is missing from an answer or not what it should be
        if isinstance(error, OSSProviderError):
            raise
        raise OSSBadResponse(f"the answer of OSS could not be understood: {error}", details) from error


class ClockCheck:
    """Made before a request is signed: knows afterwards whether the same request would be signed otherwise now."""

    def __init__(self, clock: ServerClock) -> None:
        self._clock = clock
        self._offset_seconds = clock.offset_seconds

    def corrected(self, error: OSSProviderError, headers: Mapping[str, str]) -> OSSProviderError:
        """Correct the clock where OSS refused the time of the request; return OSSClockCorrected if that will help."""
        if not isinstance(error, OSSClockSkew):
            return error
        try:
            server_time = parsedate_to_datetime(headers.get("Date", "")).timestamp()
        except ValueError:
            return error
        # Another thread may have corrected it while this request was on its way
        if not self._clock.correct(server_time) and self._clock.offset_seconds == self._offset_seconds:
            return error
        return OSSClockCorrected(error.message, error.details)


def connection_error(cause: Exception, details: ErrorDetails) -> OSSProviderError:
    """Return what urllib3 says of a request without an answer."""
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
    if isinstance(cause.__cause__, TimeoutError):
        return OSSConnectionTimeout(
            f"nothing moved on the connection to OSS for too long: {cause}; raise read_timeout in the connection's "
            "extra, or lower part_size or parallel",
            details,
        )
    return OSSConnectionError(f"the connection to OSS broke: {cause}", details)


def answer_error(
    status: int, headers: Mapping[str, str], said: Mapping[str, str], details: ErrorDetails, *, has_document: bool
) -> OSSProviderError:
    """Return what the status and an error document say. ``said``: the elements of the document."""
    code = said.get("Code", "")
    if has_document and not code and status < _SERVER_ERROR_STATUS:
        return OSSBadResponse(f"HTTP status {status} with a body that says no code", details)
    details = replace(
        details,
        http_status=status,
        code=code or None,
        ec=said.get("EC") or None,
        request_id=headers.get("x-oss-request-id") or None,
    )
    text = said.get("Message") or f"OSS answered with HTTP status {status}"
    if remedy := _remedy(code, said):
        text = f"{text.rstrip('.')}; {remedy}"
    return _error_class(status, code)(text, details)


def proves_signature(error: OSSProviderError) -> bool:
    """Whether OSS found the signature of a request good, though it gave this error for an answer."""
    is_answer = error.details.request_id is not None
    return is_answer and not isinstance(error, OSSAccessDenied | OSSCredentialsExpired | OSSClockSkew)


def _remedy(code: str, said: Mapping[str, str]) -> str | None:
    # Whichever code OSS gives to a request at the wrong endpoint, it names the right one
    if endpoint := said.get("Endpoint"):
        return f"set the connection's host (endpoint) to {endpoint}"
    return _REMEDIES_BY_EC.get(said.get("EC", "")) or _REMEDIES.get(code)


def refusal(answer: Answer, details: ErrorDetails) -> OSSProviderError:
    """Return what an answer that is no success means."""
    document = answer.body or _document_of_headers(answer.headers)
    return answer_error(answer.status, answer.headers, _fields(document), details, has_document=bool(document))


def _document_of_headers(headers: Mapping[str, str]) -> bytes:
    """Return the error document of an answer to HEAD, which has no body: OSS sends it as a header."""
    try:
        return base64.b64decode(headers.get("x-oss-err", ""))
    except binascii.Error:
        return b""


def _fields(document: bytes) -> dict[str, str]:
    """Return the elements of an error document; none if it is no such document."""
    try:
        root = ET.fromstring(document)  # noqa: S314 - expat limits entity expansion
    except ET.ParseError:
        return {}
    return {element.tag: element.text or "" for element in root} if root.tag == "Error" else {}


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
