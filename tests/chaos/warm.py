"""What every attempt would import anew, imported once: the fork server loads this, and nobody else does."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from airflow.providers.common.compat.sdk import BaseHook, ObjectStoragePath

from airflow_provider_oss import watch
from airflow_provider_oss.exports import parquet
from airflow_provider_oss.fs import oss
from airflow_provider_oss.sources import http, object_storage
from airflow_provider_oss.transfers import export, many
from tests.chaos import kinds
from tests.chaos.client import disturbable
from tests.chaos.edges import StateFile
from tests.chaos.tasks import Job, attempt
from tests.chaos.world import CONN_ID

__all__ = ["export", "http", "kinds", "many", "object_storage", "oss", "parquet", "watch"]

_NOBODY: Final = '{"conn_type": "aliyun_oss", "host": "http://127.0.0.1:1", "login": "nobody", "password": "none"}'
_CONNECTIONS: Final = {CONN_ID: _NOBODY, "warm_sql": '{"conn_type": "sqlite"}', "warm_web": '{"conn_type": "http"}'}


def _warm() -> None:
    """Make an attempt that comes to nothing, the hooks of other providers, and copy a file by its path."""
    names = {conn_id: f"AIRFLOW_CONN_{conn_id.upper()}" for conn_id in _CONNECTIONS}
    os.environ.update({names[conn_id]: connection for conn_id, connection in _CONNECTIONS.items()})
    for conn_id in _CONNECTIONS:
        BaseHook.get_hook(conn_id)
    with TemporaryDirectory() as folder, disturbable():
        path = ObjectStoragePath(f"file://{folder}/source")
        path.write_bytes(b"nothing")
        path.copy(ObjectStoragePath(f"file://{folder}/copy"))
        state = StateFile(Path(folder) / "state.json")
        attempt(Job("nothing", Path(folder) / "source", state, options={"bucket_name": "nothing"}))
    for name in names.values():
        del os.environ[name]


_warm()
