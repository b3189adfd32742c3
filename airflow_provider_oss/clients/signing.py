"""
How requests are signed: oss2's way, with a clock that can be corrected and credentials that can be renewed.

oss2 asks this machine's clock and offers no way to correct it, so a machine that is 15 minutes off could do nothing.
For V1 signatures a date header given beforehand is enough; V4 is computed here. Both are compared with oss2's own in
the tests. Presigned URLs are oss2's alone.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import formatdate
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote

from airflow_provider_oss.clients.settings import Credentials

_ALGORITHM: Final = "OSS4-HMAC-SHA256"
_UNSIGNED_PAYLOAD: Final = "UNSIGNED-PAYLOAD"
_ALWAYS_SIGNED: Final = ("content-type", "content-md5")
_TOLERANCE_SECONDS: Final = 60.0
"""OSS allows 15 minutes; a smaller correction than this cannot be what it complained about."""


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


class CredentialsHolder:
    """oss2's provider interface over credentials that can be replaced while requests are made."""

    def __init__(self, credentials: Credentials) -> None:
        self.replace(credentials)

    def replace(self, credentials: Credentials) -> None:
        """Sign with these from now on."""
        from oss2 import StaticCredentialsProvider

        self._provider = StaticCredentialsProvider(
            credentials.access_key_id, credentials.access_key_secret, credentials.security_token
        )

    def get_credentials(self) -> Any:
        """Return what oss2's signers ask."""
        return self._provider.get_credentials()


class _Auth:
    """What ``oss2.Bucket`` asks of its ``auth``; all but the signing of requests is left to oss2's own."""

    def __init__(self, oss2_auth: Any, holder: CredentialsHolder, clock: ServerClock) -> None:
        self._oss2_auth = oss2_auth
        self._holder = holder
        self._clock = clock

    def __getattr__(self, name: str) -> Any:
        return getattr(self._oss2_auth, name)


class V1Auth(_Auth):
    """V1 signatures."""

    def __init__(self, holder: CredentialsHolder, clock: ServerClock) -> None:
        from oss2 import ProviderAuth

        super().__init__(ProviderAuth(holder), holder, clock)

    def _sign_request(self, req: Any, bucket_name: str, key: str) -> None:
        # Where this header is present it is signed in place of Date (OSS API: signature version 1)
        req.headers["x-oss-date"] = formatdate(self._clock.now(), usegmt=True)
        self._oss2_auth._sign_request(req, bucket_name, key)  # noqa: SLF001 - oss2's own interface


class V4Auth(_Auth):
    """V4 signatures in headers (OSS API: "Include a V4 signature in the Authorization header")."""

    def __init__(self, holder: CredentialsHolder, clock: ServerClock) -> None:
        from oss2 import ProviderAuthV4

        super().__init__(ProviderAuthV4(holder), holder, clock)

    def _sign_request(self, req: Any, bucket_name: str, key: str) -> None:
        credentials = self._holder.get_credentials()
        timestamp = datetime.fromtimestamp(self._clock.now(), UTC).strftime("%Y%m%dT%H%M%SZ")
        req.headers["x-oss-date"] = timestamp
        req.headers["x-oss-content-sha256"] = _UNSIGNED_PAYLOAD
        if token := credentials.get_security_token():
            req.headers["x-oss-security-token"] = token
        day, region, product = timestamp[:8], req.region, req.product
        scope = f"{day}/{region}/{product}/aliyun_v4_request"
        canonical = hashlib.sha256(_canonical_request(req, bucket_name, key)).hexdigest()
        text = f"{_ALGORITHM}\n{timestamp}\n{scope}\n{canonical}"
        signing_key = _signing_key(credentials.get_access_key_secret(), day, region, product)
        signature = hmac.new(signing_key, text.encode(), hashlib.sha256).hexdigest()
        req.headers["authorization"] = (
            f"{_ALGORITHM} Credential={credentials.get_access_key_id()}/{scope},Signature={signature}"
        )


def _canonical_request(req: Any, bucket_name: str, key: str) -> bytes:
    path = f"/{bucket_name}/{key}" if bucket_name else "/"
    pairs = sorted((quote(name, safe="~"), quote(value, safe="~")) for name, value in req.params.items())
    query = "&".join(f"{name}={value}" if value else name for name, value in pairs)
    headers = "".join(
        f"{name}:{value.strip()}\n"
        for name, value in sorted((name.lower(), value) for name, value in req.headers.items() if value is not None)
        if name.startswith("x-oss-") or name in _ALWAYS_SIGNED
    )
    return f"{req.method}\n{quote(path, safe='/~')}\n{query}\n{headers}\n\n{_UNSIGNED_PAYLOAD}".encode()


@lru_cache(maxsize=8)
def _signing_key(secret: str, day: str, region: str, product: str) -> bytes:
    """Return the key of one day, region and product; the same for every request, so it is kept."""
    key = f"aliyun_v4{secret}".encode()
    for step in (day, region, product, "aliyun_v4_request"):
        key = hmac.new(key, step.encode(), hashlib.sha256).digest()
    return key
