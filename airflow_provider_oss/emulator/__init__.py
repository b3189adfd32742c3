"""
A local OSS server: for tests, for the demo, and for trying a DAG without an account.

In a program::

    from airflow_provider_oss.emulator import OSSEmulator

    with OSSEmulator(root=Path("oss-data"), buckets=("exports",)) as server:
        print(server.endpoint)

or as a process: the command ``oss-local`` for people, ``python -m airflow_provider_oss.emulator --root DIR`` for
programs; in pytest the fixtures of ``airflow_provider_oss.emulator.pytest_plugin``.

What it does, faithfully enough that the official clients see no difference:

- addresses: path style, virtual-host style, custom domains; signature versions 1 and 4 in headers and in URLs, STS
  sessions, anonymous access by ACL; clock skew, expiry and region are checked; RAM users with policies
- buckets: PutBucket, DeleteBucket, GetBucketInfo, GetBucketLocation, ListBuckets, Get/PutBucketAcl
- objects: PutObject, AppendObject, GetObject (ranges, conditions, response-*), HeadObject, GetObjectMeta, CopyObject,
  DeleteObject, DeleteMultipleObjects, ListObjects, ListObjectsV2, Put/Get/DeleteObjectTagging, Put/GetObjectAcl
- multipart: InitiateMultipartUpload, UploadPart, UploadPartCopy, ListParts, ListMultipartUploads,
  CompleteMultipartUpload (with x-oss-complete-all), AbortMultipartUpload
- CRC-64, Content-MD5, ETags; metadata headers, storage classes, forbid-overwrite; traffic limits are kept;
  server-side encryption is echoed, but nothing is encrypted; callbacks are posted, but not signed
- OSS's limits and errors, a store on disk that survives a kill, and faults on demand (``Fault``)

What it answers 501 NotImplemented: versioning, symbolic links, restore of archived objects, sequential multipart
uploads, PostObject forms, select, image processing, signature version 2, and every bucket configuration that is not
named above (lifecycle, CORS, logging, website, policy, replication, inventory and so on).

It answers GET requests uncompressed. Copies keep ETag and CRC-64 of their source.
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
