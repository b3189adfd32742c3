"""
What the library raises, as one of our errors that names the source and shows no secret.

The library's texts cannot be passed on: they hold the whole answer of a service, which may be half a set of
credentials or what was signed, and the URL of a request to STS, with token and signature in its query.
"""

from __future__ import annotations

import json
import re
import ssl
from typing import Any, Final

from urllib3 import exceptions as urllib3_errors

from airflow_provider_oss.exceptions import (
    OSSCertificateError,
    OSSCredentialsRefused,
    OSSCredentialsUnavailable,
    OSSProviderError,
)

_STATUS: Final = re.compile(r"(?:HttpCode|http_code|status code)[=: ]+(\d{3})")
_DOCUMENT: Final = re.compile(r"result: (\{.*)", re.DOTALL)
_SERVER_ERROR_STATUS: Final = 500
_BUSY_STATUSES: Final = (408, 429)
_ECHOES: Final = ("SignatureDoesNotMatch", "IncompleteSignature", "AuthenticationFail.OIDCToken")
"""Codes of STS whose message repeats what was signed, or the token."""
_OF_FILES: Final = (
    "unable to get profile",
    "failed to get credential from credentials file",
    "unsupported profile mode",
    "unsupported credential type",
    "invalid profile name",
)
"""How the library's words on a profile begin; they name files and profiles only."""
_EXPIRED: Final = "No cached value was found."
"""The library's words for credentials that have expired when they come."""
_REMEDIES: Final = {
    "EntityNotExist.OIDC": "check oidc_provider_arn",
    "EntityNotExist": "check role_arn: this role or account does not exist",
    "NoPermission": "let the identity's RAM policy allow sts:AssumeRole, and the role's trust policy name the identity",
    "AuthenticationFail.NoPermission": "let the role's trust policy name the OIDC provider, the issuer and the service "
    "account (sub)",
    "AuthenticationFail.OIDCToken": "check oidc_provider_arn, its client ids, and the token file",
    "AuthenticationFail": "check oidc_provider_arn and the role's trust policy",
    "InvalidAccessKeyId": "check the AccessKey that the role is assumed with",
    "InvalidSecurityToken": "the credentials that the role is assumed with have expired",
    "SignatureDoesNotMatch": "check the AccessKey secret that the role is assumed with",
    "InvalidTimeStamp": "set this machine's clock",
    "InvalidParameter.DurationSeconds": "lower role_session_duration, or raise the role's maximum session duration",
    "InvalidParameter.PolicyGrammar": "check role_policy",
}


def failure(name: str, error: Exception, remedies: dict[int, str]) -> OSSProviderError:
    """
    Return the error to raise instead of the library's ``error`` about the source called ``name``.

    ``remedies`` says what an HTTP status of this source means.
    """
    text = str(getattr(error, "message", error))
    if found := _STATUS.search(text):
        return _answered(name, int(found[1]), _document(text), remedies)
    if text.startswith(_OF_FILES):
        return OSSCredentialsRefused(f"{name}: {text}")
    if text == _EXPIRED:
        return OSSCredentialsUnavailable(f"{name}: what it gave has expired already; check this machine's clock")
    if isinstance(error, OSError):  # the token file
        return OSSCredentialsRefused(f"{name}: {error.filename} cannot be read: {error.strerror}")
    if (cause := error.__context__) is not None and isinstance(cause, OSError):
        return _unreached(name, _reason(cause))
    return OSSCredentialsUnavailable(f"{name}: its answer has no usable credentials ({type(error).__name__})")


def _document(text: str) -> dict[str, Any]:
    found = _DOCUMENT.search(text)
    try:
        document = json.loads(found[1]) if found else {}
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _answered(name: str, status: int, document: dict[str, Any], remedies: dict[int, str]) -> OSSProviderError:
    code = str(document.get("Code", ""))
    said = f"{name}: HTTP status {status}"
    if code:
        said += f" {code}"
        if not code.startswith(_ECHOES):
            said += f" ({str(document.get('Message', ''))[:300]})"
        said += f", request {document.get('RequestId')}"
    remedy = next((text for start, text in _REMEDIES.items() if code.startswith(start)), remedies.get(status))
    if remedy:
        said += f"; {remedy}"
    if status >= _SERVER_ERROR_STATUS or status in _BUSY_STATUSES or code.startswith("Throttling"):
        return OSSCredentialsUnavailable(said)
    return OSSCredentialsRefused(said)


def _reason(cause: BaseException) -> BaseException:
    """Return what urllib3 says of a connection; what requests makes of it has the URL in it."""
    first = cause.args[0] if cause.args else cause
    reason = getattr(first, "reason", None) or first
    if isinstance(reason, urllib3_errors.ProxyError):
        return reason.original_error
    return reason if isinstance(reason, BaseException) else cause


def _unreached(name: str, reason: BaseException) -> OSSProviderError:
    if isinstance(reason, urllib3_errors.SSLError) and any(isinstance(arg, ssl.SSLError) for arg in reason.args):
        return OSSCertificateError(
            f"{name}: its TLS certificate is not trusted: {reason}; SSL_CERT_FILE may name other authorities"
        )
    # A connection that was refused is a ConnectTimeoutError for urllib3's own reasons
    if isinstance(reason, urllib3_errors.NewConnectionError):
        return OSSCredentialsUnavailable(f"{name}: no connection: {str(reason).rpartition(': ')[2]}")
    if isinstance(reason, urllib3_errors.TimeoutError):
        return OSSCredentialsUnavailable(f"{name}: no answer in time")
    return OSSCredentialsUnavailable(f"{name}: the connection broke ({type(reason).__name__})")
