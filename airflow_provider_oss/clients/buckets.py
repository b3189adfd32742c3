"""ClientSettings to ``oss2.Bucket``: signing, addressing and the session, set up once for all buckets."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_oss.clients.session import PooledSession
from airflow_provider_oss.clients.settings import ClientSettings
from airflow_provider_oss.clients.signing import CredentialsHolder, ServerClock, V1Auth, V4Auth
from airflow_provider_oss.exceptions import OSSInvalidConnection

if TYPE_CHECKING:
    import oss2

_POOL_SIZE: Final = 100
"""Connections kept open: as many as there may be part workers."""


class Buckets:
    """
    Makes ``oss2.Bucket`` objects that share one pool of connections. oss2 is imported on first use.

    oss2's own CRC is off (crcmod is 18 times slower than ours and holds the interpreter's lock): whoever writes through
    these compares CRC-64 values itself.
    """

    def __init__(self, settings: ClientSettings) -> None:
        self._settings = settings
        self.clock = ServerClock()
        self.credentials = CredentialsHolder(settings.credentials)
        self._session = PooledSession(settings, _POOL_SIZE)
        self._buckets: dict[str, oss2.Bucket] = {}
        # Masking is no answer: Airflow's masker knows the token as it is and not as a URL has it, and what the task of
        # a LocalExecutor logs is repeated, not masked, by the scheduler
        for name in ("oss2.auth", "oss2.api"):
            logging.getLogger(name).addFilter(_tells_no_secret)

    def get(self, name: str) -> oss2.Bucket:
        """Return the bucket; the same object for the same name. Raises OSSInvalidConnection when oss2 refuses it."""
        if name not in self._buckets:
            self._buckets[name] = self._make(name)
        return self._buckets[name]

    def service(self) -> oss2.Service:
        """Return what answers for the account as a whole."""
        import oss2

        return oss2.Service(self._auth(), self._settings.endpoint, **self._common())

    def _make(self, name: str) -> oss2.Bucket:
        import oss2

        settings = self._settings
        try:
            return oss2.Bucket(
                self._auth(),
                settings.endpoint,
                name,
                enable_crc=False,
                is_cname=settings.addressing_style == "cname",
                **self._common(),
            )
        except oss2.exceptions.ClientError as error:
            raise OSSInvalidConnection(f"endpoint {settings.endpoint!r} cannot be used: {error.body}") from error

    def _common(self) -> dict[str, Any]:
        return {
            "session": self._session,
            "app_name": "airflow-provider-oss",
            "region": self._settings.region,
            "is_path_style": self._settings.addressing_style == "path",
        }

    def _auth(self) -> V1Auth | V4Auth:
        auth_class = V4Auth if self._settings.signature_version == "v4" else V1Auth
        return auth_class(self.credentials, self.clock)


def _tells_no_secret(record: logging.LogRecord) -> bool:
    """
    Keep out of the log where oss2 shows a security token: what it signs, and OSS's answers.

    The answer to a wrong signature repeats what was signed. Nothing is lost, for what OSS answers is in our errors.
    """
    is_signed_text = record.name == "oss2.auth" and record.levelno <= logging.DEBUG
    return not is_signed_text and not record.getMessage().startswith("Exception: ")
