"""A real S3 protocol in this process: moto's server, with one bucket."""

from __future__ import annotations

import json
import logging
from types import TracebackType
from typing import Any, Self

import boto3
from moto.server import ThreadedMotoServer

ACCESS_KEY = "s3-key-id"
SECRET = "s3-key-secret"
BUCKET = "source"


class S3Server:
    """Answers S3 at ``endpoint`` inside the ``with`` block; ``client`` is boto3's."""

    def __init__(self) -> None:
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self.endpoint = ""
        self.client: Any = None

    def __enter__(self) -> Self:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it has a line for every request
        self._server.start()
        host, port = self._server.get_host_and_port()
        self.endpoint = f"http://{host}:{port}"
        self.client = boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET,
        )
        self.client.create_bucket(Bucket=BUCKET)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close()
        self._server.stop()

    def put(self, key: str, data: bytes) -> None:
        """Store an object."""
        self.client.put_object(Bucket=BUCKET, Key=key, Body=data)

    def clear(self) -> None:
        """Remove all objects."""
        for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
            for one in page.get("Contents", []):
                self.client.delete_object(Bucket=BUCKET, Key=one["Key"])

    @property
    def connection_json(self) -> str:
        """An Airflow connection of type aws to it."""
        extra = {"endpoint_url": self.endpoint, "region_name": "us-east-1"}
        return json.dumps({"conn_type": "aws", "login": ACCESS_KEY, "password": SECRET, "extra": extra})
