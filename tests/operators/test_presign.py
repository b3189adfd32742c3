"""Presigned URLs as the results of tasks, used as their holders would."""

from __future__ import annotations

import json
import logging
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from airflow.providers.common.compat.sdk import redact

from airflow_provider_oss.emulator import OSSEmulator, StsSession
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.operators.presign import OSSPresignURLOperator
from tests.conftest import BUCKET, REGION
from tests.operators.conftest import REFUSED, Run
from tests.support.secret_search import find

SESSION = StsSession("STS.id", "sts-secret", "CAIS+t0ken/of=the+session==")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[OSSEmulator]:
    """A local OSS server that knows a temporary AccessKey."""
    with OSSEmulator(root=tmp_path / "oss", buckets=(BUCKET,), sts_sessions=(SESSION,)) as emulator:
        yield emulator


@pytest.fixture(autouse=True)
def _connected(connect: Callable[..., str]) -> None:
    connect()


def presign(run: Run, **arguments: Any) -> dict[str, Any]:
    result: dict[str, Any] = run(
        lambda: OSSPresignURLOperator(task_id="presign", **{"key": "{{ ds }}.csv"} | arguments)
    )
    return result


def use(result: dict[str, Any], data: bytes | None = None) -> bytes:
    request = urllib.request.Request(  # noqa: S310 - the local server
        result["url"], data, result["headers"], method=result["method"]
    )
    with urllib.request.urlopen(request) as answer:  # noqa: S310 - as above
        return bytes(answer.read())


def test_hand_over(run: Run) -> None:
    """Somebody without credentials writes with one URL, with the headers that are told, and reads with another."""
    put = presign(run, method="{{ 'put' }}", headers={"Content-Type": "text/{{ params.kind }}", "x-oss-meta-rows": 5})
    assert (put["method"], put["headers"]) == ("PUT", {"Content-Type": "text/csv", "x-oss-meta-rows": "5"})
    use(put, b"data")
    assert OSSHook().head_object("2026-11-21.csv").content_type == "text/csv"

    get = presign(run, key=f"oss://{BUCKET}/{{{{ ds }}}}.csv", query={"response-content-type": "text/plain"})
    assert use(get) == b"data"
    assert "response-content-type=text%2Fplain" in get["url"]
    assert json.loads(json.dumps(get)) == get


@pytest.mark.parametrize(
    ("expires", "seconds"), [(None, 3600), (90, 90), ("{{ 90 }}", 90), ("PT2H", 7200), (timedelta(days=7), 604800)]
)
def test_expiry(run: Run, expires: Any, seconds: int) -> None:
    """The URL says how long it lives, and the result when that ends."""
    before = datetime.now(UTC)
    result = presign(run, **{} if expires is None else {"expires": expires})
    [signed] = parse_qs(urlsplit(result["url"]).query)["x-oss-expires"]
    assert int(signed) == seconds
    ends_in = (datetime.fromisoformat(result["expires_at"]) - before).total_seconds()
    assert seconds - 2 <= ends_in <= seconds + 60


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"method": "POST"}, "method='POST' cannot be presigned: use one of GET, PUT"),
        ({"expires": "soon"}, "expires='soon' is no duration"),
        ({"expires": 0}, "expires=0 is not positive"),
        ({"expires": "P8D"}, "longer than the 7 days"),
        ({"key": ""}, "key=''"),
        ({"headers": "{{ {'a': 'b'} }}"}, "headers is a str: give a mapping .*render_template_as_native_obj"),
        ({"query": "a=b"}, "query is a str: give a mapping"),
    ],
)
def test_what_cannot_be_signed(run: Run, arguments: dict[str, Any], complaint: str) -> None:
    """It fails the task at once."""
    with pytest.raises(REFUSED, match=complaint):
        presign(run, **arguments)


@pytest.mark.parametrize("version", ["v1", "v4"])
def test_nothing_that_works_is_logged(
    run: Run, connect: Callable[..., str], server: OSSEmulator, caplog: pytest.LogCaptureFixture, version: str
) -> None:
    """The operator logs no URL; whatever else logs it in this process, the masker hides what makes it valid."""
    extra = {"region": REGION, "signature_version": version, "security_token": SESSION.security_token}
    connect(login=SESSION.access_key_id, password=SESSION.access_key_secret, extra=extra)
    with caplog.at_level(logging.DEBUG):
        url = presign(run, key="a b.csv")["url"]
    query = parse_qs(urlsplit(url).query)
    [signature] = query["x-oss-signature" if version == "v4" else "Signature"]
    secrets = {"signature": signature, "token": SESSION.security_token}
    assert find(secrets, url) == set(secrets)
    assert find(secrets, redact({"Returned value was": [url]})) == set()
    assert find(secrets, redact(f"signature {signature}, token {SESSION.security_token}")) == set()
    assert f"Presigned GET oss://{BUCKET}/a b.csv until " in caplog.text
    assert find(secrets, caplog.text) == set()
    assert server.requests == ()
