"""
The clients that are measured, one module each, in the order in which they are reported.

A module of this package imports its library on first use only: which modules that are says ``Client``, so that the
import can be measured apart from the upload.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Final

from benchmarks.clients import alibabacloud_oss_v2_sdk, hook, oss2_sdk
from benchmarks.job import Job


@dataclass(frozen=True, slots=True)
class Client:
    """A way to upload a file."""

    name: str
    distribution: str
    """What pip installs."""
    library: tuple[str, ...]
    """Modules to import before the upload, which would import them itself otherwise."""
    upload: Callable[[Job], None]
    is_official_sdk: bool
    framework: tuple[str, ...] = ()
    """Modules that are loaded in any case where this client is used."""

    @property
    def is_installed(self) -> bool:
        """Whether its modules can be imported here."""
        return all(find_spec(name.partition(".")[0]) for name in self.framework + self.library)


OURS: Final = "airflow_provider_oss hook"
CLIENTS: Final = {
    client.name: client
    for client in (
        Client(
            OURS,
            "airflow-provider-oss",
            hook.LIBRARY,
            hook.upload,
            is_official_sdk=False,
            framework=hook.FRAMEWORK,
        ),
        Client("oss2 resumable_upload", "oss2", oss2_sdk.LIBRARY, oss2_sdk.upload, is_official_sdk=True),
        Client(
            "alibabacloud-oss-v2 Uploader",
            "alibabacloud-oss-v2",
            alibabacloud_oss_v2_sdk.LIBRARY,
            alibabacloud_oss_v2_sdk.upload,
            is_official_sdk=True,
        ),
    )
}
