"""Who sent a request and what it is about: keys, sessions, clock and signature, checked in OSS's order."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_oss.emulator.errors import OSSError, invalid_argument
from airflow_provider_oss.emulator.ram import RamUser
from airflow_provider_oss.emulator.signatures import Claim, Expectation, Version, expect, read_claim
from airflow_provider_oss.emulator.wire.dates import xml_date

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_oss.emulator.limits import Limits
    from airflow_provider_oss.emulator.wire.http import Request, Target


@dataclass(frozen=True, slots=True)
class StsSession:
    """Temporary credentials, no secret in ``repr``. ``expires_at`` is in seconds since the epoch, None means never."""

    access_key_id: str
    access_key_secret: str = field(repr=False)
    security_token: str = field(repr=False)
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class Keyring:
    """All credentials that the server knows: the owner's pair, RAM users, and sessions, which may become more."""

    access_key_id: str
    access_key_secret: str = field(repr=False)
    sessions: Sequence[StsSession] = field(default=(), repr=False)
    users: tuple[RamUser, ...] = ()

    def user_of(self, claim: Claim) -> RamUser | None:
        """Return the RAM user whose AccessKey the claim names, if it is one's."""
        return next((user for user in self.users if user.access_key_id == claim.access_key_id), None)

    def secret_for(self, claim: Claim, now: float) -> str:
        """Return the secret that the claim should be signed with. Raises OSSError 403 when key and token do not fit."""
        if (user := self.user_of(claim)) is not None and claim.security_token is None:
            return user.access_key_secret
        sessions = [session for session in self.sessions if session.access_key_id == claim.access_key_id]
        if not sessions and claim.access_key_id != self.access_key_id:
            raise OSSError("InvalidAccessKeyId", extra={"OSSAccessKeyId": claim.access_key_id})
        if claim.security_token is None:
            if claim.access_key_id == self.access_key_id:
                return self.access_key_secret
            raise OSSError("InvalidAccessKeyId", ec="0002-00000003", extra={"OSSAccessKeyId": claim.access_key_id})
        return self._session(claim, sessions, now).access_key_secret

    def _session(self, claim: Claim, sessions: Sequence[StsSession], now: float) -> StsSession:
        session = next((found for found in sessions if found.security_token == claim.security_token), None)
        if session is None:
            elsewhere = any(found.security_token == claim.security_token for found in self.sessions)
            raise OSSError("AccessKeyIdAndSecurityTokenNotMatch" if elsewhere else "InvalidSecurityToken")
        if session.expires_at is not None and now >= session.expires_at:
            raise OSSError("SecurityTokenExpired")
        return session


@dataclass(frozen=True, slots=True)
class Authenticated:
    """The outcome: which reading of the address holds, and who sent it: the owner, a RAM user, or anyone."""

    target: Target
    is_owner: bool
    """Whether the request was signed, by whomever."""
    user: RamUser | None = None
    """Whose policies decide; None for the owner."""


def authenticate(
    request: Request, readings: Sequence[Target], keyring: Keyring, *, region: str, limits: Limits, now: float
) -> Authenticated:
    """
    Check the request's claim under every reading of its address. Raises OSSError when none holds.

    An anonymous request is taken in its likeliest reading.
    """
    claim = read_claim(request)
    if claim is None:
        return Authenticated(readings[0], is_owner=False)
    secret = keyring.secret_for(claim, now)
    _check_time(claim, limits, now)
    if claim.version is Version.V4 and claim.region != region:
        in_url = claim.expires_at is not None
        message = (
            "The signing region in credential is invalid."
            if in_url
            else "Invalid signing region in Authorization header."
        )
        raise invalid_argument("Region", claim.region, message, ec="0002-00000226")
    expectations = [expect(claim, request, target, secret) for target in readings]
    for target, expectation in zip(readings, expectations, strict=True):
        if hmac.compare_digest(expectation.signature.encode(), claim.signature.encode("utf-8", "replace")):
            return Authenticated(target, is_owner=True, user=keyring.user_of(claim))
    raise _mismatch(claim, expectations[0])


def _check_time(claim: Claim, limits: Limits, now: float) -> None:
    if claim.expires_at is None:
        if claim.signed_at is not None and abs(now - claim.signed_at) > limits.max_clock_skew_seconds:
            raise _too_skewed(claim, claim.signed_at, limits, now)
        return
    if claim.lifetime_seconds is not None and not 1 <= claim.lifetime_seconds <= limits.max_presign_seconds:
        raise invalid_argument("x-oss-expires", str(claim.lifetime_seconds), ec="0002-00000232")
    if claim.signed_at is not None and claim.signed_at - now > limits.max_clock_skew_seconds:
        raise _too_skewed(claim, claim.signed_at, limits, now)
    if now > claim.expires_at:
        raise OSSError(
            "AccessDenied",
            "Request has expired.",
            ec="0002-00000069",
            extra={"Expires": xml_date(claim.expires_at), "ServerTime": xml_date(now)},
        )


def _too_skewed(claim: Claim, signed_at: float, limits: Limits, now: float) -> OSSError:
    extra = {
        "MaxAllowedSkewMilliseconds": str(int(limits.max_clock_skew_seconds * 1000)),
        "RequestTime": xml_date(signed_at),
        "ServerTime": xml_date(now),
        "OSSAccessKeyId": claim.access_key_id,
    }
    return OSSError("RequestTimeTooSkewed", extra=extra)


def _mismatch(claim: Claim, expectation: Expectation) -> OSSError:
    extra = {
        "OSSAccessKeyId": claim.access_key_id,
        "SignatureProvided": claim.signature,
        "StringToSign": expectation.string_to_sign.decode("utf-8", "replace"),
        "StringToSignBytes": expectation.string_to_sign.hex(" ").upper(),
    }
    if expectation.canonical_request is None:
        return OSSError("SignatureDoesNotMatch", extra=extra)
    extra["CanonicalRequest"] = expectation.canonical_request.decode("utf-8", "replace")
    return OSSError("SignatureDoesNotMatch", ec="0002-00000201", extra=extra)
