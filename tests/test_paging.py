"""Lists in pages come to their end, or to an error: whatever a server says comes next."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain, count, cycle, repeat
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import airflow_provider_oss
from airflow_provider_oss.engine.retry import RetryPolicy
from airflow_provider_oss.exceptions import ErrorDetails, OSSBadResponse
from airflow_provider_oss.fs.filesystem import OSSFileSystem
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.model import Page, pages
from airflow_provider_oss.sensors.oss import OSSKeySensor
from tests.conftest import KEY_ID, KEY_SECRET, REGION

DETAILS = ErrorDetails("exports")
TIME = "<LastModified>2026-01-01T00:00:00.000Z</LastModified>"


class Asked:
    """Answers with these pages, whatever is asked for, and remembers what was."""

    def __init__(self, answers: Iterator[tuple[str | None, str | None]]) -> None:
        self.tokens: list[str] = []
        self._answers = answers

    def __call__(self, token: str) -> Page[str]:
        self.tokens.append(token)
        name, following = next(self._answers)
        return Page(() if name is None else (name,), (), following, name)


@given(st.lists(st.none() | st.text(), max_size=50), st.lists(st.text(min_size=1), unique=True, min_size=50))
def test_every_list_in_order_is_read_to_its_end(gaps: list[str | None], tokens: list[str]) -> None:
    """Pages whose names get further, and empty ones between them, are all yielded, in order, asked for once each."""
    names = [None if gap is None else f"{number:04} {gap}" for number, gap in enumerate(gaps)]
    ask = Asked(zip([*names, None], [*tokens[: len(names)], None], strict=True))

    assert [page.last for page in pages(ask, "", DETAILS)] == [*names, None]
    assert ask.tokens == ["", *tokens[: len(names)]]


@pytest.mark.parametrize(
    ("answers", "requests"),
    [
        (repeat(("a", "")), 1),
        (repeat(("a", "A")), 2),
        (repeat((None, "A")), 2),
        (cycle([("a", "A"), ("b", "B")]), 3),
        (cycle([(None, "A"), (None, "B")]), 3),
        (chain([("a", "A"), ("b", "B"), ("c", "C")], cycle([("b", "B"), ("c", "C")])), 4),
        ((("a", str(number)) for number in count()), 101),
        (((None, str(number)) for number in count()), 101),
        ((("a" if number % 2 else "b", str(number)) for number in count()), 101),
    ],
    ids=[
        "the first again",
        "the same marker",
        "the same marker, nothing",
        "in turn",
        "in turn, nothing",
        "back to the second",
        "other markers, the same name",
        "other markers, nothing",
        "other markers, names in turn",
    ],
)
def test_a_list_that_goes_round_ends(answers: Iterator[tuple[str | None, str | None]], requests: int) -> None:
    """A list that repeats itself is a bad response after few requests, with the place."""
    ask = Asked(answers)
    with pytest.raises(OSSBadResponse, match="does not end") as caught:
        list(pages(ask, "", DETAILS))
    assert len(ask.tokens) == requests
    assert caught.value.details is DETAILS


def test_no_list_is_read_otherwise() -> None:
    """What comes next in a list is asked for in one place: there is no second loop that may not end."""
    package = Path(airflow_provider_oss.__file__).parent
    knowing = {path.name for path in package.rglob("*.py") if "next_token" in path.read_text(encoding="utf-8")}
    assert knowing == {"model.py"}


OBJECT = f"<Contents><Key>{{0}}</Key>{TIME}<ETag>E</ETag><Size>1</Size></Contents>"
UPLOAD = "<Upload><Key>{0}</Key><UploadId>U</UploadId><Initiated>2026-01-01T00:00:00.000Z</Initiated></Upload>"
DOCUMENTS = {
    "objects": ("ListBucketResult", OBJECT, "<NextContinuationToken>{0}</NextContinuationToken>"),
    "prefixes": (
        "ListBucketResult",
        "<CommonPrefixes><Prefix>{0}/</Prefix></CommonPrefixes>",
        "<NextContinuationToken>{0}</NextContinuationToken>",
    ),
    "parts": (
        "ListPartsResult",
        f"<Part><PartNumber>{{1}}</PartNumber>{TIME}<ETag>E</ETag><Size>1</Size></Part>",
        "<NextPartNumberMarker>{1}</NextPartNumberMarker>",
    ),
    "uploads": (
        "ListMultipartUploadsResult",
        UPLOAD,
        "<NextKeyMarker>{0}</NextKeyMarker><NextUploadIdMarker>U</NextUploadIdMarker>",
    ),
    "buckets": (
        "ListAllMyBucketsResult",
        "<Buckets><Bucket><Name>{0}</Name></Bucket></Buckets>",
        "<NextMarker>{0}</NextMarker>",
    ),
}
Rounds = Callable[[str, str, str], Iterator[str]]


def page_of(root: str, entry: str, marker: str, name: str, number: int) -> str:
    inside = entry.format(name, number) + marker.format(name, number)
    return f"<{root}><IsTruncated>true</IsTruncated>{inside}</{root}>"


def repeating(root: str, entry: str, marker: str) -> Iterator[str]:
    return repeat(page_of(root, entry, marker, "aaa", 1))


def alternating(root: str, entry: str, marker: str) -> Iterator[str]:
    return cycle(page_of(root, entry, marker, name, number) for number, name in enumerate(("aaa", "bbb"), 1))


def without_marker(root: str, entry: str, marker: str) -> Iterator[str]:  # noqa: ARG001 - as the others
    return (page_of(root, entry, "", f"k{number:09}", number) for number in count(1))


def with_empty_marker(root: str, entry: str, marker: str) -> Iterator[str]:
    return repeat(page_of(root, entry, marker.replace("{0}", "").replace("{1}", ""), "aaa", 1))


def of_nothing(root: str, entry: str, marker: str) -> Iterator[str]:  # noqa: ARG001 - as the others
    return (page_of(root, "", marker, f"k{number:09}", number) for number in count(1))


@contextmanager
def answering(documents: Iterator[str]) -> Iterator[tuple[str, list[str]]]:
    """Answer these documents one after the other; yield the endpoint and the list of what was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet

        def do_GET(self) -> None:
            asked.append(self.path)
            body = next(documents).encode()
            self.send_response(200)
            self.send_header("x-oss-request-id", "R1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


class _Nothing:
    """Selects nothing: what a server that goes round lists is not to be deleted."""

    def matches(self, key: str) -> bool:
        """Return that it does not."""
        return not key


def once(hook: OSSHook) -> OSSHook:
    """Let the hook repeat nothing."""
    hook.retry = RetryPolicy(tries=1)
    return hook


def filesystem() -> OSSFileSystem:
    made = OSSFileSystem(skip_instance_cache=True)
    once(made.hook)
    return made


def sensor() -> OSSKeySensor:
    made = OSSKeySensor(task_id="t", key="*.csv", wildcard_match=True)
    once(made.hook)
    return made


USES: dict[str, list[Callable[[OSSHook, Path], Any]]] = {
    "objects": [
        lambda hook, _: list(hook.list_objects()),
        lambda hook, _: list(hook.delete_below("no such prefix", selection=_Nothing())),  # type: ignore[arg-type]
        lambda hook, folder: hook.upload_directory("tree", folder, allow_empty=True, delete_removed=True),
        lambda *_: sensor().look({}),
        lambda *_: filesystem().find("exports"),
        lambda *_: filesystem().glob("exports/**"),
    ],
    "prefixes": [
        lambda hook, _: list(hook.list_pages(delimiter="/")),
        lambda *_: filesystem().ls("exports"),
    ],
    "parts": [lambda hook, _: hook.list_parts("key", "U1")],
    "uploads": [
        lambda hook, _: list(hook.list_multipart_uploads()),
        lambda hook, _: hook._client.list_uploads(hook.resolve("key")),
    ],
    "buckets": [lambda hook, _: hook.list_buckets()],
}


@pytest.mark.parametrize("rounds", [repeating, alternating, without_marker, with_empty_marker, of_nothing])
@pytest.mark.parametrize(("kind", "use"), [(kind, use) for kind, uses in USES.items() for use in uses])
def test_every_list_ends(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str, use: Callable[[OSSHook, Path], object], rounds: Rounds
) -> None:
    """Whoever lists gets a bad response, and the server few requests, where its pages have no end."""
    with answering(rounds(*DOCUMENTS[kind])) as (endpoint, asked):
        connection = {"conn_type": "aliyun_oss", "login": KEY_ID, "password": KEY_SECRET, "host": endpoint}
        monkeypatch.setenv(
            "AIRFLOW_CONN_OSS_DEFAULT", json.dumps(connection | {"schema": "exports", "extra": {"region": REGION}})
        )
        with pytest.raises(OSSBadResponse):
            use(once(OSSHook()), tmp_path)
        assert len(asked) <= 101
