"""An AccessKey in the environment, under the names that the SDKs give it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from airflow_provider_oss.clients.credentials.checking import check_sendable
from airflow_provider_oss.clients.credentials.sources import Credentials

_NAMES: Final = (
    ("ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALIBABA_CLOUD_SECURITY_TOKEN"),
    ("OSS_ACCESS_KEY_ID", "OSS_ACCESS_KEY_SECRET", "OSS_SESSION_TOKEN"),
)
PAIRS: Final = " or ".join(f"{id_name} and {secret_name}" for id_name, secret_name, _ in _NAMES)
"""What must be set, in words."""


def credentials_in(environment: Mapping[str, str]) -> Credentials | None:
    """
    Return the first whole pair, with its token if there is one; no half is mixed with another's.

    Raises OSSInvalidConnection for what cannot be sent.
    """
    for id_name, secret_name, token_name in _NAMES:
        key_id, secret = environment.get(id_name), environment.get(secret_name)
        if key_id and secret:
            found = Credentials(key_id, secret, environment.get(token_name) or None, origin="environment")
            check_sendable(found, id_name, secret_name, token_name)
            return found
    return None


def is_true(environment: Mapping[str, str], name: str) -> bool:
    """Whether a variable says true, as the library reads it."""
    return environment.get(name, "").lower() == "true"
