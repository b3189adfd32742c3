"""Airflow's connection to the server: as the JSON of an environment variable, and as what is typed into the form."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

CONNECTION_TYPE: Final = "Alibaba Cloud OSS (resumable)"
"""What Airflow's form calls it."""

_LABELS: Final = {
    "host": "Endpoint",
    "schema": "Default bucket",
    "login": "AccessKey ID",
    "password": "AccessKey secret",
}
_EXTRA_LABELS: Final = {"region": "Region", "verify": "TLS verification"}


def connection_json(
    *, endpoint: str, bucket: str, access_key_id: str, access_key_secret: str, extra: Mapping[str, object]
) -> str:
    """Return the value of an ``AIRFLOW_CONN_...`` variable. The secret is in it."""
    return json.dumps(
        {
            "conn_type": "aliyun_oss",
            "host": endpoint,
            "schema": bucket,
            "login": access_key_id,
            "password": access_key_secret,
            "extra": dict(extra),
        }
    )


def form_values(connection: str) -> dict[str, str]:
    """Return what each field of Airflow's form gets, by its label, of a connection as ``connection_json`` gives it."""
    data: dict[str, Any] = json.loads(connection)
    standard = {label: data[name] for name, label in _LABELS.items()}
    return standard | {_EXTRA_LABELS[name]: value for name, value in data["extra"].items()}
