"""Callbacks: what the application is sent, and what becomes of its answer."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from airflow_provider_oss.emulator import Limits
from airflow_provider_oss.emulator.callback import Callback, fill, read_callback
from airflow_provider_oss.emulator.errors import OSSError
from airflow_provider_oss.emulator.state.records import Metadata, ObjectRecord
from airflow_provider_oss.emulator.wire.http import Request
from tests.emulator.support import Answer, Client, accept, callback_server, fail

RECORD = ObjectRecord("exports", "a/ü b", 5, "ETAG", 7, "Normal", 1.0, (), Metadata("text/x"), "md5==")


def encoded(data: Any) -> str:
    """A callback as its header has it."""
    return base64.b64encode(json.dumps(data).encode()).decode()


def put(client: Client, callback: dict[str, Any]) -> Answer:
    """Put an object with a callback."""
    return client.send(
        "PUT", "a", headers={"x-oss-callback": encoded({"callbackBody": "x", **callback})}, body=b"hello"
    )


@pytest.mark.parametrize(
    ("body_type", "body", "expected"),
    [
        ("form", "b=${bucket}&o=${object}&s=${size}&e=${etag}", "b=exports&o=a%2F%C3%BC+b&s=5&e=ETAG"),
        ("form", "m=${mimeType}&c=${crc64}&x=${x:who}&n=${nothing}$", "m=text%2Fx&c=7&x=a%26b&n=$"),
        ("json", '{"o":${object},"s":${size},"x":${x:who}}', '{"o":"a/\\u00fc b","s":5,"x":"a&b"}'),
    ],
)
def test_variables(body_type: str, body: str, expected: str) -> None:
    """Variables are percent-encoded in a form and JSON values in JSON; unknown ones are empty."""
    kind = {"form": "application/x-www-form-urlencoded", "json": "application/json"}[body_type]
    assert fill(Callback((), "", body, kind, {"x:who": "a&b"}), RECORD) == expected


@pytest.mark.parametrize(
    "callback",
    [
        {"callbackUrl": "", "callbackBody": "x"},
        {"callbackUrl": ";".join("abcdef"), "callbackBody": "x"},
        {"callbackUrl": "h", "callbackBody": ""},
        {"callbackUrl": "h", "callbackBody": "x", "callbackBodyType": "text/plain"},
    ],
)
def test_bad_callbacks(callback: dict[str, str]) -> None:
    """A callback without URL or body, or with too many URLs is an invalid argument."""
    with pytest.raises(OSSError, match="InvalidArgument"):
        read_callback(Request("PUT", b"/", (), {"x-oss-callback": encoded(callback)}), Limits())


def test_the_answer_replaces_the_body(client: Client) -> None:
    """The client gets the application's answer and the headers of the upload."""
    with callback_server(accept) as application:
        answer = put(client, {"callbackUrl": application.url})
    assert (answer.status, json.loads(answer.body)) == (200, {"Status": "OK"})
    assert answer.headers["etag"] == '"5D41402ABC4B2A76B9719D911017C592"'
    assert answer.headers["content-type"] == "application/json"


def test_in_the_query(client: Client) -> None:
    """A callback may ride in the query; of its variables those count whose names are right."""
    with callback_server(accept) as application:
        query = {"callback": encoded({"callbackUrl": application.url, "callbackBody": "k=${x:k}&o=${other}&u=${x:Up}"})}
        variables = {"x:k": "v", "other": "no prefix", "x:Up": "upper case"}
        answer = client.send("PUT", "a", query | {"callback-var": encoded(variables)}, body=b"x")
    assert json.loads(answer.body) == {"Status": "OK"}
    assert [body for _, body in application.received] == [b"k=v&o=&u="]


def test_the_second_url(client: Client) -> None:
    """When the first URL fails the next one is tried."""
    with callback_server(fail) as broken, callback_server(accept) as application:
        answer = put(client, {"callbackUrl": f"{broken.url};{application.url}"})
    assert answer.status == 200
    assert (len(broken.received), len(application.received)) == (1, 1)


@pytest.mark.parametrize(
    "answer",
    [(500, b"{}"), (201, b"{}"), (302, b"{}"), (200, b"no json"), (200, b'"' + b"x" * 2_000_000 + b'"')],
    ids=["error", "not 200", "redirect", "no json", "too large"],
)
def test_answers_that_fail(client: Client, answer: tuple[int, bytes]) -> None:
    """Anything but 200 with JSON of at most a megabyte is 203 CallbackFailed, with the object stored."""
    with callback_server(lambda _: answer) as application:
        result = put(client, {"callbackUrl": application.url})
    assert (result.status, result.code) == (203, "CallbackFailed")
    assert result.headers["etag"] == '"5D41402ABC4B2A76B9719D911017C592"'
    assert client.send("GET", "a").body == b"hello"


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "ftp://127.0.0.1/", "http://"])
def test_nobody_there(client: Client, url: str) -> None:
    """A URL where nobody answers, or that is none, fails the callback and not the upload."""
    assert put(client, {"callbackUrl": url}).code == "CallbackFailed"
    assert client.send("GET", "a").body == b"hello"
