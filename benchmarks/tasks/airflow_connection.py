"""The Airflow connection to a sink."""

from __future__ import annotations

import json

from benchmarks.clients.credentials import ACCESS_KEY_ID, ACCESS_KEY_SECRET, REGION
from benchmarks.rounds import BUCKET, Sink


def connection_json(sink: Sink) -> str:
    """Return it as JSON."""
    fields = {
        "conn_type": "aliyun_oss",
        "host": sink.endpoint,
        "login": ACCESS_KEY_ID,
        "password": ACCESS_KEY_SECRET,
        "schema": BUCKET,
        "extra": {"region": REGION},
    }
    return json.dumps(fields)
