"""In a real Airflow an upload outlives the credentials it began with."""

from __future__ import annotations

import json
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.conftest import BUCKET, REGION
from tests.support.credential_services import Bank, serve_uri
from tests.support.secret_search import find

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.uploading import Uploads
    from tests.support.web_server import WebServer

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("airflow")]

LIFETIME_SECONDS = 10.0
MIB_PER_SECOND = 1.0  # of each of four connections: 64 MiB take longer than a session


def test_session_that_expires_in_the_middle(uploads: Uploads, web_server: WebServer, file_64: Path) -> None:
    """One attempt signs with several sessions; every part is sent once, none is refused, and no log shows a token."""
    bank = Bank(lifetime_seconds=LIFETIME_SECONDS, register=uploads.server.add_sts_session)
    extra = {
        "region": REGION,
        "credential_source": "credentials_uri",
        "credentials_uri": serve_uri(web_server, bank),
    }
    fields = {
        "conn_type": "aliyun_oss",
        "host": uploads.server.endpoint,
        "schema": BUCKET,
        "extra": json.dumps(extra),
    }
    uploads.airflow.add_connection("oss_renewed", fields)
    key = "renewed.bin"
    uploads.slow_down(key, MIB_PER_SECOND)

    upload = uploads.start("renewed_key", file_64, key)
    assert upload.end() == "success"

    assert upload.attempts() == ["success"]
    parts = uploads.part_requests(key)
    assert Counter((one.part_number, one.status) for one in parts) == Counter((n, 200) for n in range(1, 17))
    assert len(bank.sessions) >= 2
    assert time.time() > (bank.sessions[0].expires_at or 0)
    assert {one.status for one in uploads.server.requests if one.key == key} == {200}
    log = upload.log(1)
    assert "Signing with AccessKey STS.number2 of credentials_uri" in log
    assert log.count("the token is ***") >= 16
    assert find(bank.secrets, log) == set()
    uploads.assert_equal(key, file_64)
    uploads.assert_nothing_left()
