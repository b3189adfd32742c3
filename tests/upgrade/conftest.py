"""Where the cases play: a folder, a web server, an SQLite database, and buckets with objects."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_provider_oss.hooks.oss import OSSHook
from tests.operators.conftest import context_of, in_dag, run, supervisor
from tests.support.s3_server import S3Server
from tests.support.web_server import WebServer, chunked, ranged
from tests.upgrade import cases

__all__ = ["context_of", "in_dag", "run", "supervisor"]


@pytest.fixture
def place(
    tmp_path: Path, connect: Callable[..., str], web: WebServer, monkeypatch: pytest.MonkeyPatch, s3: S3Server
) -> cases.Place:
    """The place, everything there."""
    connect()
    monkeypatch.setenv("AIRFLOW_CONN_LITE", json.dumps({"conn_type": "sqlite", "host": str(tmp_path / "a.sqlite")}))
    monkeypatch.setenv("AIRFLOW_CONN_HTTP_DEFAULT", json.dumps({"conn_type": "http", "host": "http://web.example"}))
    monkeypatch.setenv(
        "http_proxy", web.url
    )  # so the URL, which is part of a source's version, is the same in each run
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")
    folder = tmp_path / "files"
    (folder / "down").mkdir(parents=True)
    made = cases.Place(folder)
    made.file.write_bytes(cases.DATA)
    monkeypatch.setenv("AIRFLOW_CONN_AWS_SOURCE", s3.connection_json)
    s3.put("data.bin", cases.DATA)
    web.pages["/ranged"], web.pages["/chunked"] = ranged(cases.DATA), chunked(cases.DATA)
    for key in ("source.bin", "dir/a"):
        OSSHook().put_object(key, cases.DATA)
    return made
