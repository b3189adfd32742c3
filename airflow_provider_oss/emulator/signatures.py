"""
Signature versions 1 and 4, in headers and in URLs: what a request claims, and the signature it should have. Pure.

Nothing here knows which keys exist: ``authentication.py`` looks the key up and compares.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from airflow_provider_oss.emulator.errors import OSSError, invalid_argument
from airflow_provider_oss.emulator.subresources import SIGNED_BY_V1
from airflow_provider_oss.emulator.wire.dates import parse_basic_date, parse_http_date
from airflow_provider_oss.emulator.wire.http import encode_percent

if TYPE_CHECKING:
    from airflow_provider_oss.emulator.wire.http import Request, Target

ALGORITHM_V4: Final = "OSS4-HMAC-SHA256"
UNSIGNED_PAYLOAD: Final = "UNSIGNED-PAYLOAD"
_CREDENTIAL_FIELDS: Final = 5


class Version(Enum):
    """How a request is signed."""

    V1 = "1"
    V4 = "4"


@dataclass(frozen=True, slots=True)
class Claim:
    """What a signed request says about itself, nothing of it checked yet. Times are seconds since the epoch."""

    version: Version
    access_key_id: str
    signature: str
    security_token: str | None
    time_text: str
    """The time as the client wrote it: it is part of what is signed."""
    signed_at: float | None
    """When the request was signed; None for a version 1 URL, which only says when it expires."""
    expires_at: float | None
    """When a presigned URL stops working; None for a signature in headers."""
    lifetime_seconds: int | None = None
    """How long a version 4 URL says that it lives."""
    scope_date: str = ""
    region: str = ""
    additional_headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Expectation:
    """The right signature of a request, and the texts it was computed from."""

    signature: str
    string_to_sign: bytes
    canonical_request: bytes | None


def read_claim(request: Request) -> Claim | None:
    """
    Return what the request claims; None when it is anonymous.

    Raises OSSError: 400 for a malformed claim, 403 AccessDenied for a date that is missing or no date, 501 for
    signature version 2.
    """
    authorization = request.header("authorization")
    if authorization.startswith(ALGORITHM_V4):
        return _read_v4_header(request, authorization)
    if authorization.startswith("OSS "):
        return _read_v1_header(request, authorization)
    if authorization.startswith("OSS2 "):
        raise OSSError("NotImplemented", "Signature version 2 is not implemented by this server.")
    if authorization:
        raise invalid_argument("Authorization", "", "Authorization header is invalid.")
    if request.has_parameter("x-oss-signature-version"):
        return _read_v4_url(request)
    if request.has_parameter("Signature") or request.has_parameter("OSSAccessKeyId"):
        return _read_v1_url(request)
    return None


def expect(claim: Claim, request: Request, target: Target, secret: str) -> Expectation:
    """Return the signature that the holder of ``secret`` would have made for this request to ``target``."""
    if claim.version is Version.V1:
        return _expect_v1(claim, request, target, secret)
    return _expect_v4(claim, request, target, secret)


def _read_v1_header(request: Request, authorization: str) -> Claim:
    access_key_id, colon, signature = authorization.removeprefix("OSS ").strip().rpartition(":")
    if not colon or not access_key_id or not signature:
        raise invalid_argument("Authorization", "", "Authorization header is invalid.")
    time_text = request.header("x-oss-date") or request.header("date")
    try:
        signed_at = parse_http_date(time_text)
    except ValueError as error:
        raise OSSError("AccessDenied", "OSS authentication requires a valid Date.", ec="0002-00000203") from error
    # The second name is what the version 1 signer of one official client sends.
    token = request.headers.get("x-oss-security-token", request.headers.get("security-token"))
    return Claim(Version.V1, access_key_id, signature, token, time_text, signed_at, expires_at=None)


def _read_v1_url(request: Request) -> Claim:
    names = ("OSSAccessKeyId", "Expires", "Signature")
    missing = [name for name in names if not request.parameter(name)]
    if missing:
        raise OSSError("AccessDenied", f"The presigned URL lacks {', '.join(missing)}.", ec="0002-00000068")
    expires = request.parameter("Expires")
    if not expires.isdigit():
        raise OSSError("AccessDenied", "Invalid date (should be seconds since epoch).", ec="0002-00000070")
    token = request.parameter("security-token") or request.headers.get("x-oss-security-token")
    return Claim(
        Version.V1,
        request.parameter("OSSAccessKeyId"),
        request.parameter("Signature"),
        token,
        expires,
        signed_at=None,
        expires_at=float(expires),
    )


def _read_v4_header(request: Request, authorization: str) -> Claim:
    fields = dict(
        item.strip().partition("=")[::2] for item in authorization.removeprefix(ALGORITHM_V4).split(",") if item.strip()
    )
    if not fields.get("Credential") or not fields.get("Signature") or fields.get("AdditionalHeaders") == "":
        raise invalid_argument("Authorization", "", "Invalid Authorization header.", ec="0002-00000209")
    payload = request.header("x-oss-content-sha256")
    if payload != UNSIGNED_PAYLOAD:
        raise invalid_argument(
            "x-oss-content-sha256", payload, f"x-oss-content-sha256 must be {UNSIGNED_PAYLOAD}.", ec="0002-00000214"
        )
    time_text = request.header("x-oss-date")
    return _v4_claim(
        fields["Credential"],
        fields["Signature"],
        request.headers.get("x-oss-security-token"),
        time_text,
        fields.get("AdditionalHeaders", ""),
    )


def _read_v4_url(request: Request) -> Claim:
    version = request.parameter("x-oss-signature-version")
    if version != ALGORITHM_V4:
        raise invalid_argument("x-oss-signature-version", version, ec="0002-00000208")
    for name in ("x-oss-credential", "x-oss-date", "x-oss-signature"):
        if not request.parameter(name):
            raise invalid_argument(name, "", f"The presigned URL lacks {name}.", ec="0002-00000210")
    lifetime = request.parameter("x-oss-expires")
    if not lifetime.isdigit():
        raise invalid_argument("x-oss-expires", lifetime, ec="0002-00000215")
    return _v4_claim(
        request.parameter("x-oss-credential"),
        request.parameter("x-oss-signature"),
        request.parameter("x-oss-security-token") or None,
        request.parameter("x-oss-date"),
        request.parameter("x-oss-additional-headers"),
        lifetime_seconds=int(lifetime),
    )


def _v4_claim(
    credential: str,
    signature: str,
    token: str | None,
    time_text: str,
    additional: str,
    lifetime_seconds: int | None = None,
) -> Claim:
    access_key_id, *scope = credential.rsplit("/", _CREDENTIAL_FIELDS - 1)
    if len(scope) != _CREDENTIAL_FIELDS - 1 or scope[2:] != ["oss", "aliyun_v4_request"]:
        raise invalid_argument("Credential", credential, "Invalid credential in Authorization.", ec="0002-00000211")
    try:
        signed_at = parse_basic_date(time_text)
    except ValueError as error:
        raise OSSError("AccessDenied", "x-oss-date is missing or invalid.", ec="0002-00000212") from error
    if time_text[:8] != scope[0]:
        raise invalid_argument(
            "Credential", credential, "Invalid signing date in Authorization header.", ec="0002-00000225"
        )
    return Claim(
        Version.V4,
        access_key_id,
        signature,
        token,
        time_text,
        signed_at,
        expires_at=None if lifetime_seconds is None else signed_at + lifetime_seconds,
        lifetime_seconds=lifetime_seconds,
        scope_date=scope[0],
        region=scope[1],
        additional_headers=tuple(sorted({name.strip().lower() for name in additional.split(";") if name.strip()})),
    )


def _expect_v1(claim: Claim, request: Request, target: Target, secret: str) -> Expectation:
    oss_headers = "".join(
        f"{name}:{value}\n" for name, value in sorted(request.headers.items()) if name.startswith("x-oss-")
    )
    head = "\n".join(
        (request.method, request.header("content-md5"), request.header("content-type"), claim.time_text, oss_headers)
    )
    text = head.encode("latin-1") + _v1_resource(request, target).encode("utf-8", "surrogateescape")
    digest = hmac.new(secret.encode(), text, hashlib.sha1).digest()
    return Expectation(base64.b64encode(digest).decode("ascii"), text, canonical_request=None)


def _v1_resource(request: Request, target: Target) -> str:
    path = f"/{target.bucket}/{target.key}" if target.bucket else "/"
    signed = sorted(pair for pair in request.query if pair[0] in SIGNED_BY_V1)
    query = "&".join(f"{name}={value}" if value else name for name, value in signed)
    return f"{path}?{query}" if query else path


def _expect_v4(claim: Claim, request: Request, target: Target, secret: str) -> Expectation:
    canonical = _v4_canonical_request(claim, request, target)
    scope = f"{claim.scope_date}/{claim.region}/oss/aliyun_v4_request"
    text = f"{ALGORITHM_V4}\n{claim.time_text}\n{scope}\n{hashlib.sha256(canonical).hexdigest()}".encode()
    key = f"aliyun_v4{secret}".encode()
    for step in (claim.scope_date, claim.region, "oss", "aliyun_v4_request"):
        key = hmac.new(key, step.encode("latin-1", "replace"), hashlib.sha256).digest()
    return Expectation(hmac.new(key, text, hashlib.sha256).hexdigest(), text, canonical)


def _v4_canonical_request(claim: Claim, request: Request, target: Target) -> bytes:
    path = encode_percent(f"/{target.bucket}/{target.key}" if target.bucket else "/", safe="/")
    pairs = sorted(
        (encode_percent(name), encode_percent(value)) for name, value in request.query if name != "x-oss-signature"
    )
    query = "&".join(f"{name}={value}" if value else name for name, value in pairs)
    always = {"content-type", "content-md5", *claim.additional_headers}
    headers = "".join(
        f"{name}:{value.strip()}\n"
        for name, value in sorted(request.headers.items())
        if name.startswith("x-oss-") or name in always
    )
    lines = (request.method, path, query, headers, ";".join(claim.additional_headers), UNSIGNED_PAYLOAD)
    return "\n".join(lines).encode("latin-1")
