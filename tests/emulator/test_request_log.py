"""The log of requests: one line each, whatever the key, and nobody waits for its reader."""

from __future__ import annotations

import os
import re

import pytest

from airflow_provider_oss.emulator import OSSEmulator, RecordedRequest
from airflow_provider_oss.emulator.readable import ranges, size
from airflow_provider_oss.emulator.request_log import line, start_log
from tests.emulator.support import Client


def record(**fields: object) -> RecordedRequest:
    """A request with some fields of its own."""
    usual: dict[str, object] = {
        "operation": "GetObject",
        "method": "GET",
        "bucket": "exports",
        "key": "a.csv",
        "part_number": None,
        "upload_id": None,
        "bytes_received": 0,
        "status": 200,
        "code": None,
        "request_id": "",
        "user_agent": "",
        "started_at": 1.0,
        "ended_at": 1.25,
    }
    return RecordedRequest(**{**usual, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "200  GetObject                exports/a.csv  250 ms"),
        ({"status": 404, "code": "NoSuchKey"}, "404  GetObject                exports/a.csv  NoSuchKey, 250 ms"),
        ({"status": None}, "---  GetObject                exports/a.csv  no answer, 250 ms"),
        ({"operation": "ListBuckets", "bucket": "", "key": ""}, "200  ListBuckets              /  250 ms"),
        (
            {"operation": "UploadPart", "part_number": 3, "bytes_received": 5 * 2**20},
            "200  UploadPart               exports/a.csv  part 3, 5.0 MiB received, 250 ms",
        ),
        ({"key": "a\n\x1b[31m\udcff ü"}, r"200  GetObject                exports/a\n\x1b[31m\udcff ü  250 ms"),
    ],
)
def test_lines(fields: dict[str, object], expected: str) -> None:
    """A line begins with the time, and has all that one looks for; what is no text in a key is escaped."""
    time, shown = line(record(**fields)).split("  ", 1)
    assert re.fullmatch(r"\d\d:\d\d:\d\d", time)
    assert shown == expected


@pytest.mark.parametrize(
    ("count", "expected"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (3 * 2**30, "3.0 GiB"), (5000 * 2**40, "5000.0 TiB")],
)
def test_sizes(count: int, expected: str) -> None:
    """A number of bytes has the largest unit of which it has one."""
    assert size(count) == expected


@pytest.mark.parametrize(("numbers", "expected"), [([], ""), ([4], "4"), ([1, 2, 3, 5, 7, 8], "1-3, 5, 7-8")])
def test_ranges(numbers: list[int], expected: str) -> None:
    """Neighbours are shown as one."""
    assert ranges(numbers) == expected


def test_requests_are_followed_until_the_server_stops() -> None:
    """Each request after the call is yielded once, in order; the end of the server is the end."""
    with OSSEmulator() as server:
        client = Client(server)
        client.send("PUT", "before", body=b"")
        followed = server.follow_requests()
        client.send("PUT", "a", body=b"")
        client.send("PUT", "b", body=b"")
        assert [next(followed).key, next(followed).key] == ["a", "b"]
        server.forget_requests()
        client.send("PUT", "c", body=b"")
    assert [found.key for found in followed] == ["c"]


def test_a_reader_that_has_gone() -> None:
    """Without a reader the log ends, and raises nothing in its thread."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        start_log([record()], writer).join(10)
    finally:
        os.close(writer)
