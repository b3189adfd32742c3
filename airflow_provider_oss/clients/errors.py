"""Converts broken connections, and answers that are no success, to the classes of ``exceptions``."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import Any, Final
from xml.etree import ElementTree as ET

from urllib3 import exceptions as urllib3_errors

from airflow_provider_oss.clients.messages import Answer
from airflow_provider_oss.exceptions import (
    ErrorDetails,
    OSSAccessDenied,
    OSSBadResponse,
    OSSCertificateError,
    OSSChecksumMismatch,
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
    OSSWorkerExhausted,
    exhaustion,
)
from airflow_provider_oss.shown import shortened

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
_PUBLIC_ACL_REFUSED: Final = re.compile(r"put public \w+ acl is not allowed", re.IGNORECASE)
_REMEDY_OF_PUBLIC_ACL: Final = (
    "the bucket blocks public access, as all do that were made since October 2025: leave acl out and hand out "
    "presigned URLs, or switch Block Public Access off for the bucket"
)


class renamed:  # noqa: N801 - read as a word behind ``with``
    """
    Raise urllib3's errors, and those of an answer that cannot be parsed, as errors of ours with ``details``.

    A class, for there are several blocks in each request: a generator takes three times as long.
    """

    __slots__ = ("_details",)

    def __init__(self, details: ErrorDetails) -> None:
        self._details = details

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            return
        if isinstance(error, urllib3_errors.HTTPError):
            raise connection_error(error, self._details) from error
        # These are raised when an element or header is missing from an answer, or is not what it should be
        is_of_answer = isinstance(error, LookupError | ET.ParseError | ValueError)
        if is_of_answer and not isinstance(error, OSSProviderError):
            raise OSSBadResponse(
                f"the answer of OSS could not be understood: {shortened(str(error))}", self._details
            ) from error


def connection_error(cause: Exception, details: ErrorDetails) -> OSSProviderError:
    """Return what urllib3 says of a request without an answer."""
    said = shortened(str(cause))
    if isinstance(cause, urllib3_errors.SSLError):
        return OSSCertificateError(
            f"the TLS connection to OSS failed: {said}; check the endpoint, or set verify in the connection's extra "
            "to the path of the certificate authority",
            details,
        )
    # NewConnectionError is a ConnectTimeoutError for urllib3's own reasons: a refused connection is no timeout
    if isinstance(cause, urllib3_errors.NewConnectionError):
        exhausted = None if cause.__cause__ is None else exhaustion(cause.__cause__)
        if exhausted is not None:
            return OSSWorkerExhausted(f"no connection to OSS: {exhausted.message}", details)
        return OSSConnectionError(f"no connection to OSS: {said}", details)
    if isinstance(cause, urllib3_errors.ConnectTimeoutError):
        return OSSConnectionTimeout(
            f"connecting to OSS took too long: {said}; check the endpoint and the network, or raise connect_timeout "
            "in the connection's extra",
            details,
        )
    if isinstance(cause.__cause__, TimeoutError):
        return OSSConnectionTimeout(
            f"nothing moved on the connection to OSS for too long: {said}; raise read_timeout in the connection's "
            "extra, or lower part_size or parallel",
            details,
        )
    return OSSConnectionError(f"the connection to OSS broke: {said}", details)


def answer_error(
    status: int, headers: Mapping[str, str], said: Mapping[str, str], details: ErrorDetails, *, has_document: bool
) -> OSSProviderError:
    """Convert an answer to an error of ours, by its status and the elements of its error document (``said``)."""
    said = {name: shortened(text) for name, text in said.items()}
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
    """Whether the error shows that OSS accepted the signature of the request, though it refused the request."""
    is_answer = error.details.request_id is not None
    return is_answer and not isinstance(error, OSSAccessDenied | OSSCredentialsExpired | OSSClockSkew)


def _remedy(code: str, said: Mapping[str, str]) -> str | None:
    # Whichever code OSS gives to a request at the wrong endpoint, it names the right one
    if endpoint := said.get("Endpoint"):
        return f"set the connection's host (endpoint) to {endpoint}"
    if _PUBLIC_ACL_REFUSED.match(said.get("Message", "")):
        return _REMEDY_OF_PUBLIC_ACL
    return _REMEDIES_BY_EC.get(said.get("EC", "")) or _REMEDIES.get(code)


def refusal(answer: Answer, details: ErrorDetails) -> OSSProviderError:
    """Convert an answer that is no success to an error of ours."""
    document = answer.body or _document_of_headers(answer.headers)
    return answer_error(answer.status, answer.headers, _fields(document), details, has_document=bool(document))


def _document_of_headers(headers: Mapping[str, str]) -> bytes:
    """Return the error document of an answer to HEAD, which has no body: OSS sends it as a header."""
    try:
        return base64.b64decode(headers.get("x-oss-err", ""))
    except binascii.Error:
        return b""


def _fields(document: bytes) -> dict[str, str]:
    """Return the elements of an error document, of one that is cut off those before; none if it is no such document."""
    parser: Any = ET.XMLPullParser(("start", "end"))
    parser.feed(document)
    path: list[str] = []
    fields = {}
    with suppress(ET.ParseError):
        for event, element in parser.read_events():
            if event == "start":
                path.append(element.tag)
            else:
                if path[:-1] == ["Error"]:
                    fields[element.tag] = element.text or ""
                path.pop()
    return fields


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
