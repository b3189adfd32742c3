"""What the Test button of the Airflow UI says of an error. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from airflow_provider_oss.exceptions import (
    OSSAccessDenied,
    OSSConnectionError,
    OSSCredentialsExpired,
    OSSProviderError,
)

_AFTER_THE_SIGNATURE: Final = "0003-"
"""How the EC of a refusal begins that comes after the signature was found right: mostly a policy's."""
_WRONG_ENDPOINT: Final = "0003-00001403"
"""The bucket is in another region: nothing works with this connection."""


def verdict(error: OSSProviderError, conn_id: str, key: str | None) -> tuple[bool, str]:
    """
    Return whether the connection works in spite of the error, and what to tell the user, with the remedy.

    A RAM policy that forbids what the test asks for is no failure: the AccessKey is right, and may well upload. ``key``
    says in words which AccessKey was tried; None when it did not come to that. The id of the connection is left out,
    because Airflow tests a copy that has a random one.
    """
    # The key of the object is the test's own and says nothing to the user
    where = str(replace(error.details, key=None))
    text = error.message.removeprefix(f"connection {conn_id!r}: ") + (f" [{where}]" if where else "")
    ec = error.details.ec or ""
    if key and isinstance(error, OSSAccessDenied) and ec.startswith(_AFTER_THE_SIGNATURE):
        if ec == _WRONG_ENDPOINT:
            return False, text
        asked = "oss:GetObject" if error.details.bucket else "oss:ListBuckets"
        return True, f"OSS accepts {key}; that it may upload is not proven, for it has no {asked}: {text}"
    if key and isinstance(error, (OSSAccessDenied, OSSCredentialsExpired)):
        return False, f"OSS does not accept {key}: {text}"
    if isinstance(error, OSSConnectionError):
        return False, f"{text}. The test ran on the machine of Airflow's server; a worker may be in another network"
    return False, text
