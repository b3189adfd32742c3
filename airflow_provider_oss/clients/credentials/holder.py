"""
The credentials that requests are signed with: fixed ones, or those of a source, asked in time and not more than once.

A source is asked by the library that Alibaba Cloud keeps for it (``chain``), which is imported when it is first needed.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Final

from airflow_provider_oss.clients.credentials.sources import (
    AssumedRole,
    Basis,
    Credentials,
    CredentialSource,
    DefaultChain,
)
from airflow_provider_oss.exceptions import OSSCredentialsUnavailable, OSSInvalidConnection, OSSProviderError
from airflow_provider_oss.shown import Log


class CredentialsReader:
    """
    Asks one source as often as ``read`` is called. Not thread-safe: its holder lets one thread ask at a time.

    Every question is asked of new objects of the library: they have caches of their own, which would answer with what
    OSS has just refused, or with what has expired when a renewal fails.
    """

    def __init__(self, source: CredentialSource) -> None:
        self._source = source
        self._ask: Callable[[], Credentials] | None = None

    def read(self) -> Credentials:
        """
        Return credentials, just given.

        Raises OSSInvalidConnection when the library is not installed, OSSCredentialsUnavailable when another try may
        help, OSSCredentialsRefused when it will not.
        """
        if self._ask is None:
            self._ask = _asking(self._source)
        return self._ask()


def _asking(source: CredentialSource) -> Callable[[], Credentials]:
    try:
        from airflow_provider_oss.clients.credentials import chain
        from airflow_provider_oss.clients.credentials import chain as library
    except ImportError as error:
        raise OSSInvalidConnection(
            f"credential_source {str(source).partition(' ')[0]!r} needs the package alibabacloud-credentials "
            f"({error}): install airflow-provider-oss with the extra credentials"
        ) from error
    match source:
        case DefaultChain():
            return chain.Chain(os.environ).ask
        case AssumedRole():
            return partial(_assume, source, _giving(source.basis), library.assume)
        case _:
            return partial(library.ask, source)


def _giving(basis: Basis) -> Callable[[], Credentials]:
    return (lambda: basis) if isinstance(basis, Credentials) else _asking(basis)


def _assume(
    role: AssumedRole,
    ask_basis: Callable[[], Credentials],
    assume: Callable[[AssumedRole, Credentials], Credentials],
) -> Credentials:
    """Ask for the credentials that the role is assumed with, then for the role's: so an error shows which failed."""
    try:
        basis = ask_basis()
    except OSSProviderError as error:
        raise type(error)(f"{role}, the credentials to assume it with: {error.message}") from None
    return assume(role, basis)


log = Log(__name__)

_AHEAD_SECONDS: Final = 900.0
"""So long before they expire they are renewed, or when a quarter of their life is left if that is later."""
_UNKNOWN_LIFE_SECONDS: Final = 300.0
"""After this long a source is asked again whose credentials do not say when they expire."""
_PAUSE_SECONDS: Final = 15.0
"""Least time between two questions to a source that failed, or whose credentials look expired when they come."""
_RENEWALS_IN_VAIN: Final = 2
"""After so many renewals without one request that OSS accepted, another would not help: an upload asks no more."""


def _ignore(_: Credentials) -> None:
    pass


class CredentialsHolder:
    """
    Credentials to sign with, fixed ones or those of a source, which is asked again before they expire. Thread-safe.

    While the held ones are good, reading ``current`` takes no lock and asks nobody. The thread that finds them due asks
    the source; others go on with the old ones as long as these are valid. A source that fails meanwhile is logged and
    asked again later.

    ``on_new`` is called with each new AccessKey before the thread that made the holder uses it; for one that another
    thread got, when that thread comes next (it registers secrets with Airflow, to which only a task's main thread may
    talk).
    """

    def __init__(
        self,
        credentials: Credentials | CredentialSource,
        on_new: Callable[[Credentials], None] = _ignore,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._on_new = on_new
        self._now = now
        self._owner = threading.get_ident()
        self._lock = threading.Lock()
        self._unannounced: list[Credentials] = []
        self._accepted: bool
        self._renewals_in_vain: int
        self._refused: Credentials | None
        self._failure: OSSProviderError | None
        self._times_asked = 0
        self.replace(credentials)

    def replace(self, credentials: Credentials | CredentialSource) -> None:
        """
        Sign with these from now on, or with those of this source.

        What is known of the former ones is forgotten, but for AccessKeys that ``on_new`` has not been called with.
        """
        with self._lock:
            self._accepted = False
            self._renewals_in_vain = 0
            self._refused = None
            self._failure = None
            is_fixed = isinstance(credentials, Credentials)
            self._reader = None if isinstance(credentials, Credentials) else CredentialsReader(credentials)
            self._current = credentials if isinstance(credentials, Credentials) else None
            self._valid_until = self._ask_at = math.inf if is_fixed else -math.inf

    @property
    def current(self) -> Credentials:
        """
        The credentials to sign with now.

        Raises OSSCredentialsUnavailable when there are none and asking again may help, OSSCredentialsRefused or
        OSSInvalidConnection when it will not.
        """
        held = self._current
        if held is None or self._now() >= self._ask_at:
            held = self._renewed()
        if self._unannounced and threading.get_ident() == self._owner:
            self._announce()
        return held

    def accepted(self) -> None:
        """Take note that OSS accepted a signature."""
        self._accepted = True

    def refused(self, security_token: str | None = None) -> None:
        """
        Take note that OSS says this token has expired, or is none: the source is asked before it is used again.

        None means the one that is held. One that has been replaced meanwhile makes no difference, nor does one that was
        refused before: requests that were under way together are refused together.
        """
        with self._lock:
            held = self._current
            if self._reader is None or held is None or security_token not in (None, held.security_token):
                return
            if held is self._refused:
                return
            self._refused = held
            self._renewals_in_vain = 0 if self._accepted else self._renewals_in_vain + 1
            self._ask_at = self._valid_until = -math.inf

    def renew(self) -> bool:
        """
        Return whether there are others now than those that OSS refused; the source is asked if nobody has done so yet.

        A source that cannot answer now counts as having others: the next request asks it again, and is repeated with
        pauses. Raises what ``current`` raises where that would not help.
        """
        if self._reader is None or self._renewals_in_vain > _RENEWALS_IN_VAIN:
            return False
        try:
            return self.current != self._refused
        except OSSCredentialsUnavailable as error:
            log.warning("New credentials cannot be had yet: %s", error)
            return True

    def _renewed(self) -> Credentials:
        asked_before = self._times_asked
        held = self._current
        is_valid = held is not None and self._now() < self._valid_until
        if not self._lock.acquire(blocking=not is_valid):
            assert held is not None  # noqa: S101 - it is valid
            return held  # another thread is asking
        try:
            if self._reader is None:  # replaced meanwhile
                assert self._current is not None  # noqa: S101 - fixed credentials are always there
                return self._current
            if self._times_asked == asked_before or (self._current is None and self._failure is None):
                self._ask()
            if self._failure is not None:
                raise type(self._failure)(self._failure.message, self._failure.details)
            assert self._current is not None  # noqa: S101 - there was no failure
            return self._current
        finally:
            self._lock.release()

    def _ask(self) -> None:
        """Ask the source. Its failure is kept for the threads that wait, if there is nothing else to go on with."""
        assert self._reader is not None  # noqa: S101 - fixed credentials are always good
        self._failure = None
        try:
            self._take(self._reader.read())
        except OSSProviderError as error:
            now = self._now()
            if self._current is None or now >= self._valid_until:
                self._failure = error
            else:
                self._ask_at = min(now + _PAUSE_SECONDS, self._valid_until)
                log.warning("The credentials of %s are still valid, but not renewed: %s", self._current.origin, error)
        finally:
            self._times_asked += 1

    def _take(self, fresh: Credentials) -> None:
        now = self._now()
        if fresh != self._current:
            log.info("Signing with AccessKey %s of %s%s", fresh.access_key_id, fresh.origin, _until(fresh.expires_at))
            self._unannounced.append(fresh)
            self._accepted = False
        self._current = fresh
        if fresh.expires_at is None:
            self._valid_until, self._ask_at = math.inf, now + _UNKNOWN_LIFE_SECONDS
        elif fresh.expires_at <= now:  # this machine's clock may be wrong: OSS is the judge
            self._valid_until = self._ask_at = now + _PAUSE_SECONDS
        else:
            self._valid_until = fresh.expires_at
            self._ask_at = fresh.expires_at - min(_AHEAD_SECONDS, (fresh.expires_at - now) / 4)

    def _announce(self) -> None:
        while self._unannounced:
            self._on_new(self._unannounced.pop(0))


def _until(expires_at: float | None) -> str:
    if expires_at is None:
        return ""
    return f", valid until {datetime.fromtimestamp(expires_at, UTC).isoformat(timespec='seconds')}"
