"""The stage: a local OSS server with a clock that can be turned, tokens that expire, and a port that can be closed."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import oss2

from airflow_provider_oss.emulator import Limits, OSSEmulator, RecordedRequest, StsSession
from tests.clients.support import Certificate

BUCKET: Final = "exports"
REGION: Final = "cn-hangzhou"
KEY_ID: Final = "local-access-key-id"
KEY_SECRET: Final = "local-access-key-secret"
CONN_ID: Final = "oss_chaos"

PART_BYTES: Final = 100 * 1024
"""The least that OSS takes for a part."""
TOKEN_LIFE_SECONDS: Final = 600.0
READ_TIMEOUT_SECONDS: Final = 20.0
"""Long enough for a busy machine; scenarios in which nothing moves set their own."""


class BrokenPromiseError(AssertionError):
    """Something that the package promises did not hold."""


def demand(holds: object, promise: str) -> None:
    """Raise BrokenPromiseError, naming the promise, unless it holds."""
    if not holds:
        raise BrokenPromiseError(promise)


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What the server holds of one key."""

    uploads: frozenset[str]
    content: bytes | None


@dataclass(frozen=True, slots=True)
class Holdings:
    """What the server holds below a prefix: each object's bytes, and each unfinished upload's key and id."""

    objects: dict[str, bytes]
    uploads: frozenset[tuple[str, str]]


class World:
    """A local OSS server, with a certificate over TLS, that the campaign can bend. ``records`` survive restarts."""

    def __init__(self, root: Path, certificate: Certificate | None = None) -> None:
        self._root = root
        self._certificate = certificate
        self._offset_seconds = 0.0
        self._lock = threading.RLock()
        self._past: tuple[RecordedRequest, ...] = ()
        self._sessions = tuple(
            StsSession(f"STS.{number}", f"session-secret-{number}", f"session-token-{number}-Zm9vYmFy", expires_at)
            for number, expires_at in ((1, time.time() + TOKEN_LIFE_SECONDS), (2, None))
        )
        self._server: OSSEmulator | None = None
        self._port = 0

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def server(self) -> OSSEmulator:
        """The server that runs."""
        demand(self._server is not None, "the server runs when it is asked for")
        assert self._server is not None
        return self._server

    @property
    def endpoint(self) -> str:
        """The same all the time, whether somebody listens there or not."""
        return f"{'https' if self._certificate else 'http'}://127.0.0.1:{self._port}"

    @property
    def records(self) -> tuple[RecordedRequest, ...]:
        """All requests since `forget`."""
        with self._lock:
            return self._past + (self._server.requests if self._server is not None else ())

    def forget(self) -> None:
        """Begin to count anew, without faults."""
        with self._lock:
            self._past = ()
            self.server.forget_requests()
            self.server.faults.clear()

    def open(self) -> None:
        """Listen, on the same port as before."""
        with self._lock:
            if self._server is not None:
                return
            certificate = self._certificate
            server = OSSEmulator(
                self._root,
                port=self._port,
                buckets=(BUCKET, "other"),
                limits=Limits(min_part_size_bytes=1),
                sts_sessions=self._sessions,
                clock=lambda: time.time() + self._offset_seconds,
                ssl_certfile=None if certificate is None else certificate.certificate,
                ssl_keyfile=None if certificate is None else certificate.key,
            )
            server.__enter__()
            self._server, self._port = server, server.port

    def close(self) -> None:
        """Refuse connections."""
        with self._lock:
            if self._server is not None:
                server, self._server = self._server, None
                server.__exit__()
                self._past += server.requests

    def turn_clock(self, seconds: float) -> None:
        """Put OSS's clock forward."""
        self._offset_seconds += seconds

    def mend(self) -> None:
        """Put everything right: the clock, the connection."""
        self._offset_seconds = 0.0
        self.connect()

    def connect(self, session: int | None = None, **extra: object) -> None:
        """Define the Airflow connection ``CONN_ID``: with the lasting key, or that of a session."""
        self.connect_to(self.connection_json(session, **extra))

    def connect_to(self, connection: str) -> None:
        """Define the Airflow connection ``CONN_ID``."""
        os.environ[f"AIRFLOW_CONN_{CONN_ID.upper()}"] = connection

    def connection_json(self, session: int | None = None, **extra: Any) -> str:
        """Return the Airflow connection as JSON."""
        if self._certificate is not None:
            extra = {"verify": str(self._certificate.certificate), **extra}
        if session is None:
            return connection_json(self.endpoint, **extra)
        chosen = self._sessions[session - 1]
        extra = {"security_token": chosen.security_token, **extra}
        return connection_json(self.endpoint, (chosen.access_key_id, chosen.access_key_secret), **extra)

    # What the server holds, asked with the official client

    def bucket(self, name: str = BUCKET) -> oss2.Bucket:
        """Return the official client's view, with a clock of its own in order."""
        session = oss2.Session()
        if self._certificate is not None:
            session.session.verify, session.session.trust_env = str(self._certificate.certificate), False
        return oss2.Bucket(oss2.Auth(KEY_ID, KEY_SECRET), self.endpoint, name, enable_crc=False, session=session)

    def objects(self) -> list[Any]:
        """Return all objects, as the official client lists them."""
        return list(oss2.ObjectIteratorV2(self.bucket()))

    def leftovers(self, key: str) -> Leftovers:
        """Return what the server holds of ``key``; with the clock in order for as long as the question takes."""
        with self._honest_clock():
            bucket = self.bucket()
            uploads = frozenset(
                item.upload_id for item in oss2.MultipartUploadIterator(bucket, prefix=key) if item.key == key
            )
            try:
                content = bucket.get_object(key).read()
            except oss2.exceptions.NoSuchKey:
                content = None
        return Leftovers(uploads, content)

    def holdings(self, prefix: str) -> Holdings:
        """Return what the server holds below ``prefix``."""
        with self._honest_clock():
            bucket = self.bucket()
            return Holdings(
                {one.key: bucket.get_object(one.key).read() for one in oss2.ObjectIteratorV2(bucket, prefix=prefix)},
                frozenset((one.key, one.upload_id) for one in oss2.MultipartUploadIterator(bucket, prefix=prefix)),
            )

    def put(self, key: str, content: bytes) -> None:
        """Store an object, as somebody else would for whom nothing is wrong."""
        with self._honest_clock(), self._opened():
            self.bucket().put_object(key, content)

    @contextmanager
    def _opened(self) -> Iterator[None]:
        with self._lock:
            was_closed = self._server is None
            self.open()
            try:
                yield
            finally:
                if was_closed:
                    self.close()

    def abort_all(self, prefix: str) -> None:
        """Abort every upload below ``prefix``, as a lifecycle rule would."""
        with self._honest_clock():
            for key, upload_id in self.holdings(prefix).uploads:
                self.bucket().abort_multipart_upload(key, upload_id)

    def finish(self, contents: Mapping[str, bytes]) -> None:
        """Send what is missing and complete the uploads of these keys that are under way, as another worker would."""
        with self._honest_clock():
            for key, content in contents.items():
                for upload_id in self.leftovers(key).uploads:
                    self._finish(key, upload_id, content)

    def _finish(self, key: str, upload_id: str, content: bytes) -> None:
        bucket, parts = self.bucket(), []
        for number, start in enumerate(range(0, len(content), PART_BYTES), 1):
            answer = bucket.upload_part(key, upload_id, number, content[start : start + PART_BYTES])
            parts.append(oss2.models.PartInfo(number, answer.etag))
        bucket.complete_multipart_upload(key, upload_id, parts)

    @contextmanager
    def _honest_clock(self) -> Iterator[None]:
        with self._lock:
            offset, self._offset_seconds = self._offset_seconds, 0.0
            try:
                yield
            finally:
                self._offset_seconds = offset


def connection_json(endpoint: str, key: tuple[str, str] = (KEY_ID, KEY_SECRET), **extra: object) -> str:
    """Return an Airflow connection to the server at ``endpoint`` as JSON, with short timeouts."""
    usual: dict[str, object] = {"region": REGION, "read_timeout": READ_TIMEOUT_SECONDS, "connect_timeout": 2.0}
    return json.dumps(
        {
            "conn_type": "aliyun_oss",
            "login": key[0],
            "password": key[1],
            "host": endpoint,
            "schema": BUCKET,
            "extra": usual | extra,
        }
    )


def is_ours(record: RecordedRequest) -> bool:
    """Whether the package made the request."""
    return "airflow-provider-oss" in record.user_agent


def bytes_sent_again(records: tuple[RecordedRequest, ...], key: str) -> int:
    """
    Return the bytes, below ``key``, that we sent again in parts that OSS had acknowledged in the same upload.

    What a process sends before it dies may arrive while the next one asks what there is: that was not acknowledged.
    """
    ours = [record for record in records if record.key.startswith(key) and is_ours(record)]
    listings = [record for record in ours if record.operation == "ListParts"]
    acknowledged: set[tuple[str | None, int | None]] = set()
    again = 0
    for record in ours:
        if record.operation == "UploadPart" and record.status == 200:
            part = (record.upload_id, record.part_number)
            again += record.bytes_received if part in acknowledged else 0
            if not any(_arrived_meanwhile(record, listing) for listing in listings):
                acknowledged.add(part)
    return again


def _arrived_meanwhile(record: RecordedRequest, listing: RecordedRequest) -> bool:
    is_of_it = listing.upload_id == record.upload_id
    return is_of_it and record.started_at < listing.started_at and record.ended_at > listing.started_at
