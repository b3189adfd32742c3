"""
The clients that are measured, in the order in which they are reported.

A client in Python is a module of this package with ``FRAMEWORK`` (names of modules that are loaded in any case where it
is used), ``LIBRARY`` (names of modules to import before the upload) and ``upload(job)``. It imports its library inside
functions, so that the import can be measured apart from the upload.
"""

from __future__ import annotations

from typing import Final

from benchmarks.clients.client import Client, in_python, of_ours
from benchmarks.clients.programs import ALI_OSS, CURL
from benchmarks.clients.rclone import RCLONE

HOOK: Final = of_ours("airflow_provider_oss hook", "benchmarks.clients.hook")
OPERATOR: Final = of_ours("airflow_provider_oss operator", "benchmarks.clients.operator")
OSS2: Final = in_python(
    "oss2 resumable_upload", "oss2", "benchmarks.clients.oss2_sdk", role="checking SDK", checks="CRC-64"
)
OSS_V2: Final = in_python(
    "alibabacloud-oss-v2 Uploader",
    "alibabacloud-oss-v2",
    "benchmarks.clients.alibabacloud_oss_v2_sdk",
    role="checking SDK",
    checks="CRC-64",
)
ALIBABA: Final = in_python(
    "alibaba provider's operator",
    "apache-airflow-providers-alibaba",
    "benchmarks.clients.alibaba_operator",
    role="peer",
    checks="CRC-64",
)
OPENDAL: Final = in_python("opendal", "opendal", "benchmarks.clients.opendal_oss", role="peer", checks="nothing")

_ALL: Final = (HOOK, OPERATOR, OSS2, OSS_V2, ALIBABA, ALI_OSS, OPENDAL, RCLONE, CURL)
CLIENTS: Final = {client.name: client for client in _ALL}

__all__ = ["ALIBABA", "CLIENTS", "CURL", "HOOK", "OPENDAL", "OPERATOR", "OSS2", "OSS_V2", "RCLONE", "Client"]
