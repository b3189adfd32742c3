"""The pages over HTTP: what they show, to whom, and what stays OSS's."""

from __future__ import annotations

import re
from html import unescape

import pytest

from airflow_provider_oss.emulator import Fault, OSSEmulator
from tests.emulator.support import SECRET, Answer, Client, send


def get(server: OSSEmulator, path: str, host: str | None = None) -> Answer:
    """Ask for a page, unsigned, as a browser does."""
    return send(server.endpoint, "GET", path, {} if host is None else {"Host": host})


def text_of(answer: Answer) -> str:
    """The words of a page."""
    return unescape(re.sub("<[^>]*>", " ", answer.body.decode()))


def begin_upload(client: Client, key: str, parts: int = 0) -> str:
    """Begin an upload, send so many parts of ten bytes, and return its id."""
    upload_id = client.send("POST", key, {"uploads": "", "encoding-type": "url"}).text("UploadId") or ""
    for number in range(1, parts + 1):
        client.send("PUT", key, {"partNumber": str(number), "uploadId": upload_id}, body=b"x" * 10)
    return upload_id


def test_the_overview(server: OSSEmulator, client: Client) -> None:
    """The first page has buckets, uploads with their parts, the last requests with their errors, and faults."""
    client.send("PUT", "reports/a.csv", body=b"12345")
    client.send("GET", "absent")
    upload_id = begin_upload(client, "big.bin", 3)
    server.faults.add(Fault(operation="UploadPart", key="big.bin", status=503, times=2), Fault(latency_seconds=0.001))
    client.send("GET", "reports/a.csv")

    shown = text_of(get(server, "/-/"))

    assert re.search(r"exports\s+1\s+1\s+private\s+Standard", shown)
    assert re.search(r"exports/big.bin\s+3 parts \(1-3\), 30 B", shown)
    assert upload_id in shown
    assert re.search(r"404 NoSuchKey\s+GetObject\s+exports/absent", shown)
    assert re.search(r"200\s+PutObject\s+exports/reports/a.csv\s+5 B", shown)
    assert re.search(r"operation=UploadPart, key=big.bin, times=2\s+status=503\s+0 of 2", shown)
    assert re.search(r"all\s+latency_seconds=0.001\s+1\s", shown)


def test_nothing_happened_yet(server: OSSEmulator) -> None:
    """Where there is nothing to show, the page says so."""
    shown = text_of(get(server, "/-/"))
    assert "None: the server behaves." in shown
    assert shown.count("There is none.") == 1
    assert "There was none." in shown


def test_the_page_of_a_bucket(server: OSSEmulator, client: Client) -> None:
    """A bucket's page has its objects and uploads, those whose keys begin with a prefix if one is given."""
    client.send("PUT", "reports/a b.csv", headers={"Content-Type": "text/csv"}, body=b"12345")
    client.send("PUT", "others/c", body=b"")
    begin_upload(client, "reports/big.bin", 1)

    shown = text_of(get(server, "/-/buckets/exports"))
    assert re.search(
        r"reports/a b.csv\s+5 B\s+[-\d]+ [:\d]+\s+Normal\s+text/csv\s+Standard\s+827CCB0EEA8A706C4C34A16891F84E7B",
        shown,
    )
    assert "others/c" in shown
    assert re.search(r"exports/reports/big.bin\s+1 parts \(1\), 10 B", shown)

    shown = text_of(get(server, "/-/buckets/exports?prefix=reports%2Fa+b"))
    assert "reports/a b.csv" in shown
    assert "others/c" not in shown
    assert "big.bin" not in shown


def test_many_objects(server: OSSEmulator, client: Client) -> None:
    """Following the link to the next objects, every object is met once."""
    keys = [f"a/{number:03d}&" for number in range(201)]
    for key in [*keys, "b"]:
        client.send("PUT", key, body=b"")

    first = get(server, "/-/buckets/exports?prefix=a").body.decode()
    (following,) = re.findall(r'<a href="([^"]*)">Next objects', first)
    second = get(server, f"/-/buckets/exports{unescape(following)}").body.decode()

    assert "Next objects" not in second
    assert re.findall(r">(a/\d+&amp;)<", first + second) == [key.replace("&", "&amp;") for key in keys]
    assert ">b<" not in second


def test_names_are_text(server: OSSEmulator, client: Client) -> None:
    """A name that is markup, or no text at all, is shown and nothing else."""
    key = '<img src=x onerror="alert(1)">\x1b[31m\u202e'
    client.send("PUT", key, headers={"Content-Type": "<b>'\""}, body=b"")
    begin_upload(client, key)
    server.faults.add(Fault(key="<script>", status=503, message="</style><script>", response_body=b"<script>"))
    pages = [
        get(server, path).body.decode()
        for path in ("/-/", "/-/buckets/exports", "/-/buckets/exports?prefix=%22%3E%C3%A9%FF")
    ]
    for page in pages:
        assert not re.search(r"<(img|b|script)\b|onerror=\"", page)
        assert not re.search(r"[\x00-\x09\x0b-\x1f\u202e]", page)
    assert "&lt;img src=x onerror=&quot;alert(1)&quot;&gt;\\x1b[31m\\u202e" in pages[1]
    assert 'value="&quot;&gt;é\\udcff"' in pages[2]


def test_what_a_browser_may_do_with_it(server: OSSEmulator) -> None:
    """A page runs no script, asks no other host, is in no frame and in no cache."""
    for path in ("/-/", "/-/buckets/exports", "/-/style.css"):
        headers = get(server, path).headers
        assert headers["content-security-policy"].startswith("default-src 'none'; style-src 'self';")
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff")
        assert "access-control-allow-origin" not in headers


def test_no_secret_and_no_content(server: OSSEmulator, client: Client) -> None:
    """Neither the secret nor what is in an object is on a page."""
    client.send("PUT", "a", body=b"confidential")
    pages = get(server, "/-/").body + get(server, "/-/buckets/exports").body
    assert b"confidential" not in pages
    assert SECRET.encode() not in pages


@pytest.mark.parametrize(("host", "status"), [("localhost:1", 200), ("127.0.0.1", 200), ("[::1]:9", 200)])
def test_addresses_of_this_machine(server: OSSEmulator, host: str, status: int) -> None:
    """The pages are at an IP address and at localhost."""
    assert get(server, "/-/", host).status == status


@pytest.mark.parametrize("host", ["evil.example", "exports.localhost:80", "exports.oss-cn-hangzhou.aliyuncs.com", ""])
def test_other_names(server: OSSEmulator, host: str) -> None:
    """Under any other name, which a stranger's DNS may lead here, there is no page: the request is one for OSS."""
    assert get(server, "/-/", host).headers["content-type"] == "application/xml"


def test_keys_that_look_like_pages(server: OSSEmulator) -> None:
    """An object whose key begins as the pages do is reached by the bucket's own host name."""
    client = Client(server)
    assert client.send("PUT", "-/", body=b"mine").status == 200
    host = {"Host": "exports.oss-cn-hangzhou.aliyuncs.com"}
    signed = client.signed("GET", "-/", headers=host)
    assert send(server.endpoint, "GET", "/-/", {**signed, **host}).body == b"mine"
    assert client.send("GET", "-/").body == b"mine"


def test_the_head_alone(server: OSSEmulator) -> None:
    """What asks whether the page is there, as checkers of links do, is told so."""
    answer = send(server.endpoint, "HEAD", "/-/")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.body == b""


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", "/-/"), ("DELETE", "/-/buckets/exports"), ("GET", "/-/other"), ("GET", "/-/buckets/..%2f")],
)
def test_there_is_nothing_else(server: OSSEmulator, method: str, path: str) -> None:
    """The pages are only read, and what is none of them is OSS's to answer."""
    answer = send(server.endpoint, method, path)
    assert (answer.headers["content-type"], answer.code) in [
        ("application/xml", "AccessDenied"),
        ("application/xml", "InvalidBucketName"),
    ]


def test_a_bucket_that_is_not_there(server: OSSEmulator) -> None:
    """A page of no bucket is not found, and leads back to the first one."""
    answer = get(server, "/-/buckets/absent")
    assert answer.status == 404
    assert b'<a href="/-/">' in answer.body


def test_pages_are_no_requests(server: OSSEmulator) -> None:
    """Faults do not touch a page, and the requests that are shown and recorded are OSS's alone."""
    server.faults.add(Fault(reset="before"))
    assert get(server, "/-").status == 200
    assert server.requests == ()


def test_the_root_is_still_the_list_of_buckets(client: Client) -> None:
    """The address of the server without a path is OSS's."""
    answer = Client(client.server, bucket="").send("GET")
    assert answer.text("Buckets/Bucket/Name") == "exports"
