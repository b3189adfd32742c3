"""Asks a source for credentials, by the library that Alibaba Cloud keeps for it, which is imported now."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

from airflow_provider_oss.clients.credentials.sources import (
    AssumedRole,
    Basis,
    Credentials,
    CredentialSource,
    DefaultChain,
)
from airflow_provider_oss.exceptions import OSSInvalidConnection, OSSProviderError


class SourceReader:
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
        from airflow_provider_oss.clients.credentials import chain, library
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
    """Ask for the credentials that the role is assumed with, then for the role's: so an error tells which failed."""
    try:
        basis = ask_basis()
    except OSSProviderError as error:
        raise type(error)(f"{role}, the credentials to assume it with: {error.message}") from None
    return assume(role, basis)
