"""Whether credentials can be sent: what has a line break or the like cannot, and http.client's own words show it."""

from __future__ import annotations

import re
from typing import Any, Final

from airflow_provider_oss.clients.credentials.sources import Credentials
from airflow_provider_oss.exceptions import OSSInvalidConnection

_SENDABLE: Final = re.compile(r"[!-~]([ -~]*[!-~])?")


def check_sendable(credentials: Credentials, id_name: str, secret_name: str, token_name: str) -> None:
    """Raise OSSInvalidConnection, by the name that a part has where it comes from, unless all can be sent."""
    _check(id_name, credentials.access_key_id)
    _check(secret_name, credentials.access_key_secret)
    if credentials.security_token is not None:
        _check(token_name, credentials.security_token)


def _check(name: str, value: Any) -> None:
    if not isinstance(value, str) or not _SENDABLE.fullmatch(value):
        raise OSSInvalidConnection(
            f"{name} has a line break, a space at its end or another character that no AccessKey has: give it anew, "
            "with nothing before or after it"
        )
