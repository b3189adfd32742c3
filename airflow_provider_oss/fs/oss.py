"""What Airflow asks for the filesystem of ``oss://`` (provider key ``filesystems``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_oss.hooks import DEFAULT_CONN_ID

if TYPE_CHECKING:
    from airflow_provider_oss.fs.filesystem import OSSFileSystem

schemes = ["oss"]


def get_fs(conn_id: str | None, storage_options: Mapping[str, Any] | None = None) -> OSSFileSystem:
    """
    Return the filesystem that uses this connection, ``oss_default`` if none is named.

    The connection is read on first use: DAG files make paths when they are parsed.
    """
    from airflow_provider_oss.fs.filesystem import OSSFileSystem

    return OSSFileSystem(oss_conn_id=conn_id or DEFAULT_CONN_ID, **(storage_options or {}))
