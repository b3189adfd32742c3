"""What lives long, a wait or a filesystem, may outlive the AccessKey that it began with."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_oss.exceptions import OSSAccessDenied, OSSCredentialsExpired

if TYPE_CHECKING:
    from airflow_provider_oss.hooks.oss import OSSHook

Seen = TypeVar("Seen")


def renewing(hook: OSSHook, look: Callable[[], Seen]) -> Seen:
    """Look; when the credentials are refused look once more if the Airflow connection has others by now."""
    try:
        return look()
    except (OSSAccessDenied, OSSCredentialsExpired):
        if not hook.renew_credentials():
            raise
        return look()
