"""
How requests are signed, with a clock that can be corrected and credentials that can be renewed.

oss2 asks this machine's clock and offers no way to correct it, so a machine that is 15 minutes off could do nothing;
and it writes what it signs, the security token included, into its log. Both signatures are compared with oss2's own in
the tests. Presigned URLs are oss2's alone.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping, MutableMapping
from email.utils import formatdate, parsedate_to_datetime
from functools import lru_cache
from typing import Final, Protocol
from urllib.parse import quote

from airflow_provider_oss.clients.credentials.holder import CredentialsHolder
from airflow_provider_oss.clients.settings import ClientSettings
from airflow_provider_oss.exceptions import OSSClockCorrected, OSSClockSkew, OSSProviderError

_ALGORITHM: Final = "OSS4-HMAC-SHA256"
_PRODUCT: Final = "oss"
_UNSIGNED_PAYLOAD: Final = "UNSIGNED-PAYLOAD"
_ALWAYS_SIGNED: Final = ("content-type", "content-md5")
_V1_SIGNED_PARAMS: Final = (
    "bucketInfo",
    "continuation-token",
    "delete",
    "partNumber",
    "tagging",
    "uploadId",
    "uploads",
)
"""Of the parameters that our calls have (OSS API: signature version 1, CanonicalizedResource)."""
_TOLERANCE_SECONDS: Final = 60.0
"""OSS allows 15 minutes; a smaller correction than this cannot be what it complained about."""

Headers = MutableMapping[str, str]


class ServerClock:
    """The time that OSS has: this machine's, corrected by what OSS said when they were too far apart."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._offset_seconds = 0.0

    def now(self) -> float:
        """Return seconds since the epoch."""
        return self._now() + self._offset_seconds

    @property
    def offset_seconds(self) -> float:
        """How far this machine's clock was found to be behind."""
        return self._offset_seconds

    def correct(self, server_time: float) -> bool:
        """Go by ``server_time`` from now on; return whether that makes a difference."""
        differs = abs(server_time - self.now()) > _TOLERANCE_SECONDS
        if differs:
            self._offset_seconds = server_time - self._now()
        return differs


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
            server_time = parsedate_to_datetime(headers.get("date", "")).timestamp()
        except ValueError:
            return error
        # Another thread may have corrected it while this request was on its way
        if not self._clock.correct(server_time) and self._clock.offset_seconds == self._offset_seconds:
            return error
        return OSSClockCorrected(error.message, error.details)


class Signer(Protocol):
    """Signs requests."""

    def sign(self, method: str, bucket: str, key: str, params: Mapping[str, str], headers: Headers) -> None:
        """Add to ``headers`` (names in lower case) what makes OSS accept the request."""


def make_signer(settings: ClientSettings, credentials: CredentialsHolder, clock: ServerClock) -> Signer:
    """Return the signer that the settings ask for."""
    if settings.signature_version == "v1":
        return V1Signer(credentials, clock)
    return V4Signer(credentials, clock, settings.region or "")


class V1Signer:
    """V1 signatures of our calls (OSS API: "Include signatures in the Authorization header")."""

    def __init__(self, holder: CredentialsHolder, clock: ServerClock) -> None:
        self._holder = holder
        self._clock = clock

    def sign(self, method: str, bucket: str, key: str, params: Mapping[str, str], headers: Headers) -> None:
        """Sign with HMAC-SHA1."""
        credentials = self._holder.current
        # Where this header is present it is signed in place of Date
        headers["x-oss-date"] = formatdate(self._clock.now(), usegmt=True)
        if credentials.security_token:
            headers["x-oss-security-token"] = credentials.security_token
        text = "\n".join(
            (
                method,
                headers.get("content-md5", ""),
                headers.get("content-type", ""),
                headers["x-oss-date"],
                _oss_headers(headers) + _v1_resource(bucket, key, params),
            )
        )
        digest = hmac.digest(credentials.access_key_secret.encode(), text.encode(), "sha1")
        headers["authorization"] = f"OSS {credentials.access_key_id}:{base64.b64encode(digest).decode()}"


def _oss_headers(headers: Mapping[str, str]) -> str:
    return "".join(f"{name}:{headers[name]}\n" for name in sorted(headers) if name.startswith("x-oss-"))


def _v1_resource(bucket: str, key: str, params: Mapping[str, str]) -> str:
    signed = [f"{name}={params[name]}" if params[name] else name for name in _V1_SIGNED_PARAMS if name in params]
    path = f"/{bucket}/{key}" if bucket else "/"
    return f"{path}?{'&'.join(signed)}" if signed else path


class V4Signer:
    """V4 signatures in headers (OSS API: "Include a V4 signature in the Authorization header")."""

    def __init__(self, holder: CredentialsHolder, clock: ServerClock, region: str) -> None:
        self._holder = holder
        self._clock = clock
        self._region = region

    def sign(self, method: str, bucket: str, key: str, params: Mapping[str, str], headers: Headers) -> None:
        """Sign with HMAC-SHA256; the body is not signed, its checksums are compared instead."""
        credentials = self._holder.current
        timestamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._clock.now()))
        headers["x-oss-date"] = timestamp
        headers["x-oss-content-sha256"] = _UNSIGNED_PAYLOAD
        if credentials.security_token:
            headers["x-oss-security-token"] = credentials.security_token
        day = timestamp[:8]
        scope = f"{day}/{self._region}/{_PRODUCT}/aliyun_v4_request"
        canonical = hashlib.sha256(_canonical_request(method, bucket, key, params, headers)).hexdigest()
        text = f"{_ALGORITHM}\n{timestamp}\n{scope}\n{canonical}"
        signing_key = _signing_key(credentials.access_key_secret, day, self._region)
        signature = hmac.digest(signing_key, text.encode(), "sha256").hex()
        headers["authorization"] = f"{_ALGORITHM} Credential={credentials.access_key_id}/{scope},Signature={signature}"


def _canonical_request(
    method: str, bucket: str, key: str, params: Mapping[str, str], headers: Mapping[str, str]
) -> bytes:
    path = f"/{bucket}/{key}" if bucket else "/"
    pairs = sorted([(quote(name, safe="~"), quote(value, safe="~")) for name, value in params.items()])
    query = "&".join([f"{name}={value}" if value else name for name, value in pairs])
    signed = "".join(
        [
            f"{name}:{headers[name].strip()}\n"
            for name in sorted(headers)
            if name.startswith("x-oss-") or name in _ALWAYS_SIGNED
        ]
    )
    return f"{method}\n{quote(path, safe='/~')}\n{query}\n{signed}\n\n{_UNSIGNED_PAYLOAD}".encode()


@lru_cache(maxsize=8)
def _signing_key(secret: str, day: str, region: str) -> bytes:
    """Return the key of one day and region; the same for every request, so it is kept."""
    key = f"aliyun_v4{secret}".encode()
    for step in (day, region, _PRODUCT, "aliyun_v4_request"):
        key = hmac.digest(key, step.encode(), "sha256")
    return key
