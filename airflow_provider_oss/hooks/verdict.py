"""What the Test button of the Airflow UI says of an error. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from airflow_provider_oss.exceptions import OSSAccessDenied, OSSConnectionError, OSSProviderError

_REFUSED_BY_POLICY: Final = "0003-"
"""How the EC of a refusal begins that comes after the signature was found right."""
_WRONG_ENDPOINT: Final = "0003-00001403"
"""The bucket is in another region: nothing works with this connection."""


def verdict(error: OSSProviderError, conn_id: str) -> tuple[bool, str]:
    """
    Return whether the connection works in spite of the error, and what to tell the user, with the remedy.

    A RAM policy that forbids what the test asks for is no failure: the AccessKey is right, and may well upload. The id
    of the connection is left out, because Airflow tests a copy that has a random one.
    """
    # The key is the test's own and says nothing to the user
    where = str(replace(error.details, key=None))
    text = error.message.removeprefix(f"connection {conn_id!r}: ") + (f" [{where}]" if where else "")
    if isinstance(error, OSSAccessDenied) and _is_refused_by_policy(error.details.ec or ""):
        asked = "oss:GetObject" if error.details.bucket else "oss:ListBuckets"
        return True, f"OSS accepts the AccessKey; that it may upload is not proven, for it has no {asked}: {text}"
    if isinstance(error, OSSConnectionError):
        text += ". The test ran on the machine of Airflow's server; a worker may be in another network"
    return False, text


def _is_refused_by_policy(ec: str) -> bool:
    return ec.startswith(_REFUSED_BY_POLICY) and ec != _WRONG_ENDPOINT
