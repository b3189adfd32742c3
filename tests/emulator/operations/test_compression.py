"""GZIP on the way out, to the clients that ask for it, as OSS sends it."""

from __future__ import annotations

import gzip
import http.client
import zlib

import oss2
import pytest

from airflow_provider_oss.emulator import Fault
from tests.emulator.support import Client

TEXT = b"a,b\n" * 100_000
GZIP = {"Accept-Encoding": "gzip"}


def test_a_text_is_compressed(client: Client) -> None:
    """The body is GZIP, in chunks; what describes the object's own bytes is not in the head."""
    client.send("PUT", "a.txt", body=TEXT, headers={"Content-Type": "text/plain; charset=utf-8"})
    answer = client.send("GET", "a.txt", headers=GZIP)
    assert answer.status == 200
    assert len(answer.body) < len(TEXT) // 10
    assert gzip.decompress(answer.body) == TEXT
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["vary"] == "Accept-Encoding"
    assert answer.headers["transfer-encoding"] == "chunked"
    assert answer.headers["x-oss-hash-crc64ecma"]
    assert not {"etag", "accept-ranges", "content-length"} & answer.headers.keys()


def test_head_tells_the_same(client: Client) -> None:
    """HeadObject has the head of the compressed answer."""
    client.send("PUT", "a.txt", body=TEXT, headers={"Content-Type": "text/plain"})
    answer = client.send("HEAD", "a.txt", headers=GZIP)
    assert answer.headers["content-encoding"] == "gzip"
    assert not {"etag", "accept-ranges", "content-length"} & answer.headers.keys()


@pytest.mark.parametrize(
    ("size", "of_object", "asked"),
    [
        (1023, {}, GZIP),
        (1024, {"Content-Type": "image/png"}, GZIP),
        (1024, {"Content-Encoding": "br"}, GZIP),
        (1024, {}, {"Accept-Encoding": "identity"}),
        (1024, {}, {"Accept-Encoding": "br, gzip;q=0.0"}),
        (1024, {}, {"Range": "bytes=0-1023", **GZIP}),
    ],
    ids=["small", "no text", "has an encoding", "not asked for", "not wanted", "a range"],
)
def test_what_is_not_compressed(client: Client, size: int, of_object: dict[str, str], asked: dict[str, str]) -> None:
    """The object comes as it is, with its length and its ETag."""
    client.send("PUT", "a", body=TEXT[:size], headers={"Content-Type": "application/json", **of_object})
    answer = client.send("GET", "a", headers=asked)
    assert answer.body == TEXT[:size]
    assert answer.headers["content-length"] == str(size)
    assert answer.headers["etag"]
    assert answer.headers.get("content-encoding") == of_object.get("Content-Encoding")


def test_the_smallest_of_several_codings(client: Client) -> None:
    """A text of 1 KiB is compressed for a browser, which takes more than GZIP."""
    client.send("PUT", "a", body=TEXT[:1024], headers={"Content-Type": "application/json"})
    answer = client.send("GET", "a", headers={"Accept-Encoding": "br;q=1.0, gzip;q=0.8, *;q=0.1"})
    assert gzip.decompress(answer.body) == TEXT[:1024]


def test_truncated(client: Client) -> None:
    """A compressed answer that is cut holds half of the text, and no end."""
    client.send("PUT", "a.txt", body=TEXT, headers={"Content-Type": "text/plain"})
    client.server.faults.add(Fault(operation="GetObject", truncate_response=True, times=1))
    with pytest.raises(http.client.IncompleteRead) as caught:
        client.send("GET", "a.txt", headers=GZIP)
    assert zlib.decompressobj(wbits=31).decompress(caught.value.partial) == TEXT[: len(TEXT) // 2]
    assert client.server.requests[-1].status is None


def test_an_sdk_reads_it(client: Client, bucket: oss2.Bucket) -> None:
    """The SDK inflates the answer; without the header it gets the object as it is."""
    client.send("PUT", "a.txt", body=TEXT, headers={"Content-Type": "text/plain"})
    result = bucket.get_object("a.txt", headers=oss2.CaseInsensitiveDict(GZIP))
    assert (result.read(), result.content_length, result.headers["Content-Encoding"]) == (TEXT, None, "gzip")
    assert bucket.get_object("a.txt").content_length == len(TEXT)
