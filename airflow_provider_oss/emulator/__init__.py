"""
A local OSS server: for tests, for the demo, and for trying a DAG without an account.

In a program::

    from airflow_provider_oss.emulator import OSSEmulator

    with OSSEmulator(root=Path("oss-data"), buckets=("exports",)) as server:
        print(server.endpoint)

or as a process: the command ``oss-local`` for people, ``python -m airflow_provider_oss.emulator --root DIR`` for
programs; in pytest the fixtures of ``airflow_provider_oss.emulator.pytest_plugin``.

It speaks to the official clients as OSS does: signature versions 1 and 4 in headers and in URLs, STS sessions, RAM
users with policies, and anonymous access by ACL; path style, virtual-host style and custom domains; OSS's limits and
errors; CRC-64, Content-MD5 and ETags. Its store on disk survives a kill, and it misbehaves on demand (``Fault``). Which
operations it answers, its limits, where it differs from OSS and what it answers 501 is its claim:
``python -m airflow_provider_oss.emulator.claim`` prints it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from airflow_provider_oss.emulator.authentication import StsSession
    from airflow_provider_oss.emulator.faults import Fault
    from airflow_provider_oss.emulator.ledger import RecordedRequest
    from airflow_provider_oss.emulator.limits import Limits
    from airflow_provider_oss.emulator.ram import RamUser
    from airflow_provider_oss.emulator.server import OSSEmulator

__all__ = ["Fault", "Limits", "OSSEmulator", "RamUser", "RecordedRequest", "StsSession"]

_MODULES: Final = {
    "Fault": "faults",
    "Limits": "limits",
    "OSSEmulator": "server",
    "RamUser": "ram",
    "RecordedRequest": "ledger",
    "StsSession": "authentication",
}


def __getattr__(name: str) -> Any:
    """
    Import a name on first use: pytest imports this package, for its plugin, in runs that need no server.

    Raises ModuleNotFoundError that names the extra when what the server needs is not installed.
    """
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name != "uvicorn":
            raise
        remedy = "the local OSS server needs uvicorn: pip install 'airflow-provider-oss[emulator]'"
        raise ModuleNotFoundError(remedy, name=error.name) from error
