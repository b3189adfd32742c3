"""Nothing secret is shown by anything that a run in a real Airflow leaves behind, however it failed."""

from __future__ import annotations

import base64
import json
import logging
import zlib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from airflow_provider_oss.emulator import Fault
from airflow_provider_oss.limits import MIB
from tests.conftest import BUCKET, KEY_SECRET, REGION
from tests.integration.conftest import SESSION, random_file
from tests.integration.uploading import RunningUpload, Uploads
from tests.support.airflow_home import DATABASE_NAME
from tests.support.airflow_version import DEBUG_LINE, DEFAULT_STORE, KILLED
from tests.support.secret_search import find

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_oss.emulator import OSSEmulator

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("airflow")]

TRIES = 5  # of a call inside an attempt
HITS_UNTIL_STUCK = TRIES + 2


def connect(uploads: Uploads, signature_version: str) -> None:
    """Store a connection with the temporary key in Airflow's database."""
    extra = {"region": REGION, "security_token": SESSION.security_token, "signature_version": signature_version}
    fields = {
        "conn_type": "aliyun_oss",
        "login": SESSION.access_key_id,
        "password": SESSION.access_key_secret,
        "host": uploads.server.endpoint,
        "schema": BUCKET,
        "extra": json.dumps(extra),
    }
    uploads.airflow.add_connection(f"oss_{signature_version}", fields)


def break_in_turn(server: OSSEmulator, key: str) -> None:
    """Answer with errors until the first attempt gives up, let the token expire, get stuck, and deny access."""
    part_3, part_4 = (partial(Fault, operation="UploadPart", key=key, part_number=number, times=1) for number in (3, 4))
    server.faults.add(
        part_3(times=TRIES, status=500),
        part_3(skip=TRIES, status=403, code="SecurityTokenExpired"),
        part_4(stall=True),
        part_4(skip=1, status=403, code="AccessDenied"),
    )


def test_nothing_secret_is_shown(
    uploads: Uploads, folder: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """
    Neither key nor token nor a presigned signature is in any file of Airflow, in its database, or with the server.

    An upload with a temporary key meets errors, an expired token, a SIGKILL and a refusal, and continues; everything
    logs at DEBUG. The connections are in the database, so their table may show what they are.
    """
    caplog.set_level(logging.DEBUG)
    connect(uploads, "v4")
    connect(uploads, "v1")
    key, url_folder = "secret.bin", folder / "urls"
    url_folder.mkdir()
    break_in_turn(uploads.server, key)
    file = random_file(folder / "1-mib.bin", MIB)
    upload = uploads.start("temporary_key", file, key, url_folder=str(url_folder))
    uploads.server.faults.wait_for_hits(HITS_UNTIL_STUCK, 120.0)
    upload.kill()
    assert upload.end() == "failed"
    left = list(uploads.airflow.database.dump(but_for="connection"))  # with the checkpoint, which is deleted later
    assert uploads.checkpoints() == {f"{DEFAULT_STORE} {upload.owner}"}
    upload.clear()
    assert upload.end() == "success"
    check_what_happened(upload)

    secrets = {
        "the lasting secret": KEY_SECRET,
        "the secret": SESSION.access_key_secret,
        "the token": SESSION.security_token,
        "the V4 signature": signature_in(url_folder / "oss_v4", "x-oss-signature"),
        "the V1 signature": signature_in(url_folder / "oss_v1", "Signature"),
    }
    left += [*uploads.airflow.database.dump(but_for="connection"), *files(folder)]
    left += [("requests", uploads.server.requests), ("log", caplog.text), ("stdout and stderr", capfd.readouterr())]
    assert [(place, found) for place, value in left if (found := find(secrets, value))] == []


def check_what_happened(upload: RunningUpload) -> None:
    """Every fault left its trace, the logs say all there is to say, and the objects are right."""
    assert upload.attempts() == [*["failed"] * 4, "success"]
    traces = ("OSSServiceUnavailable", "OSSCredentialsExpired", *(KILLED or (DEBUG_LINE,)), "OSSAccessDenied", "100.0%")
    for try_number, trace in enumerate(traces, 1):
        assert trace in upload.log(try_number)
        assert DEBUG_LINE in upload.log(try_number)
    upload.uploads.assert_equal(upload.key, upload.file)
    for conn_id in ("oss_v4", "oss_v1"):
        assert upload.uploads.bucket.get_object(f"{upload.key}.{conn_id}").read() == b"presigned"
    upload.uploads.assert_nothing_left()


def signature_in(url_file: Path, parameter: str) -> str:
    """Return the signature of the URL that a task wrote down for the test."""
    return parse_qs(urlsplit(url_file.read_text()).query)[parameter][0]


def files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield every file of Airflow but its database, and the small ones of the server; its large ones are data."""
    for path in folder.glob("airflow/**/*"):
        if path.is_file() and not path.name.startswith(DATABASE_NAME):
            yield str(path), path.read_bytes()
    for path in folder.glob("oss/**/*"):
        if path.is_file() and path.stat().st_size < 100_000:
            yield str(path), path.read_bytes()


SECRET = 'a+b/c=d e%f&g"h'


@pytest.mark.parametrize(
    "written",
    [
        f"secret: {SECRET}.",
        f"?token={quote(SECRET, safe='')}&x",
        f"/{quote(SECRET).lower()}/",
        quote(quote(SECRET, safe=""), safe=""),
        json.dumps({"secret": SECRET}),
        SECRET.encode().hex().upper(),
        SECRET.encode().hex(" "),
        *(base64.b64encode(f"{before}{SECRET}:more".encode()) for before in ("", "1", "12", "123")),
        base64.urlsafe_b64encode(SECRET.encode()),
        zlib.compress(f"in {SECRET} out".encode()),
    ],
    ids=repr,
)
def test_a_secret_is_found_in_every_disguise(written: str | bytes) -> None:
    """What the search above would overlook might as well not be searched for."""
    assert find({"it": SECRET, "another": "a-secret"}, written) == {"it"}
