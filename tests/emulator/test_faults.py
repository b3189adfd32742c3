"""Faults: which requests they hit, and what the client sees."""

from __future__ import annotations

import http.client
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_provider_oss.emulator import Fault, OSSEmulator
from airflow_provider_oss.emulator.faults import Faults, fault_from_json, flip
from tests.emulator.support import Client


def hits(
    faults: Faults, count: int, operation: str = "PutObject", key: str = "a", part: int | None = None
) -> list[bool]:
    """Which of so many requests are hit."""
    return [bool(faults.take(operation, key, part).faults) for _ in range(count)]


def test_skip_and_times() -> None:
    """The first `skip` matches pass, `times` of them are hit, the rest pass."""
    faults = Faults(["PutObject", "GetObject"])
    faults.add(Fault(skip=2, times=2))
    assert hits(faults, 6) == [False, False, True, True, False, False]
    faults.clear()
    faults.add(Fault(skip=1))
    assert hits(faults, 3) == [False, True, True]


def test_an_operation_that_is_not_there() -> None:
    """A fault that could never hit is refused, so a misspelt one lets no test pass; the right names are named."""
    faults = Faults(["PutObject", "GetObject"])
    with pytest.raises(ValueError, match=r"'PutObjct' is none of the server's, which are GetObject, PutObject$"):
        faults.add(Fault(operation="PutObject"), Fault(operation="PutObjct"))
    assert faults.in_force() == ()


def test_in_force() -> None:
    """A fault is in force until it has hit as many requests as it may."""
    faults = Faults(["PutObject", "GetObject"])
    faults.add(Fault(skip=1, times=2), Fault(operation="GetObject"))
    assert [each.hits for each in faults.in_force()] == [0, 0]
    hits(faults, 2)
    assert [(each.fault.times, each.hits) for each in faults.in_force()] == [(2, 1), (None, 0)]
    hits(faults, 1)
    assert [each.fault for each in faults.in_force()] == [Fault(operation="GetObject")]


def test_only_matching_requests_count() -> None:
    """Operation, key and part number must fit, and other requests do not use `times` up."""
    faults = Faults(["PutObject", "UploadPart"])
    faults.add(Fault(operation="UploadPart", key="a", part_number=3, times=1))
    assert hits(faults, 1, "PutObject", "a", 3) == [False]
    assert hits(faults, 1, "UploadPart", "b", 3) == [False]
    assert hits(faults, 1, "UploadPart", "a", 4) == [False]
    assert hits(faults, 2, "UploadPart", "a", 3) == [True, False]


@pytest.mark.parametrize(
    "fields",
    [{"reset": "during"}, {"rate_bytes_per_second": 0}, {"times": 0}, {"skip": -1}, {"message": "no"}],
)
def test_senseless_faults_are_refused(fields: dict[str, object]) -> None:
    """A fault that could never do what it says is a ValueError."""
    with pytest.raises(ValueError, match=next(iter(fields))):
        Fault(**fields)  # type: ignore[arg-type]


def test_faults_from_json() -> None:
    """JSON data becomes a fault, and an unknown field is a ValueError that names it."""
    assert fault_from_json({"operation": "PutObject", "response_body": "x"}) == Fault(
        operation="PutObject", response_body=b"x"
    )
    with pytest.raises(ValueError, match="latency"):
        fault_from_json({"latency": 1})


def test_flip() -> None:
    """Only the bytes at the given offsets of the whole body change, by one bit."""
    assert flip(b"abc", 10, frozenset({11, 99})) == b"a\x63c"
    assert flip(b"abc", 10, frozenset()) == b"abc"


def test_an_error_instead_of_the_work(client: Client, server: OSSEmulator) -> None:
    """Status, code and message are answered, the body is read, and nothing is stored."""
    server.faults.add(Fault(operation="PutObject", status=503, code="ServiceUnavailable", message="later", times=1))
    answer = client.send("PUT", "a", body=b"12345")
    assert (answer.status, answer.code, answer.text("Message")) == (503, "ServiceUnavailable", "later")
    assert client.send("GET", "a").code == "NoSuchKey"
    assert (server.requests[0].bytes_received, server.requests[0].code) == (5, "ServiceUnavailable")


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault(status=500), (500, "InternalError")),
        (Fault(status=429), (429, "QpsLimitExceeded")),
        (Fault(code="NoSuchUpload"), (404, "NoSuchUpload")),
        (Fault(status=502), (502, "ServiceUnavailable")),
    ],
)
def test_what_is_left_out_of_an_error(
    client: Client, server: OSSEmulator, fault: Fault, expected: tuple[int, str]
) -> None:
    """The code follows from the status and the status from the code."""
    server.faults.add(fault)
    answer = client.send("GET", "a")
    assert (answer.status, answer.code) == expected


@pytest.mark.parametrize(("when", "stored"), [("before", False), ("after", True)])
def test_resets(client: Client, server: OSSEmulator, when: str, stored: bool) -> None:  # noqa: FBT001 - a column above
    """A reset reaches the client as such; the work was done only when it came after it."""
    server.faults.add(Fault(operation="PutObject", reset=when, times=1))  # type: ignore[arg-type]
    with pytest.raises(ConnectionResetError):
        client.send("PUT", "a", body=b"x")
    record = server.wait_for_requests(lambda found: found.operation == "PutObject")
    assert record.status is None
    assert (client.send("GET", "a").status == 200) is stored


def test_a_reset_within_the_body(client: Client, server: OSSEmulator) -> None:
    """The connection breaks once so many bytes have arrived, and nothing is stored."""
    server.faults.add(Fault(operation="PutObject", reset_after_bytes=1_000_000, times=1))
    with pytest.raises(OSError, match=r"reset|Broken pipe"):
        client.send("PUT", "a", body=bytes(50_000_000))
    record = server.wait_for_requests(lambda found: found.operation == "PutObject")
    assert 1_000_000 <= record.bytes_received < 50_000_000
    assert client.send("GET", "a").status == 404


def test_latency(client: Client, server: OSSEmulator) -> None:
    """The answer comes late."""
    server.faults.add(Fault(operation="GetObject", latency_seconds=0.2))
    begun = time.monotonic()
    assert client.send("GET", "a").status == 404
    assert time.monotonic() - begun >= 0.2


def test_a_rate_for_the_request(client: Client, server: OSSEmulator) -> None:
    """A body is read no faster than the rate, and each connection has a rate of its own."""
    server.faults.add(Fault(operation="PutObject", rate_bytes_per_second=1_000_000))
    begun = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda key: client.send("PUT", key, body=bytes(300_000)), "abcdefgh"))
    elapsed = time.monotonic() - begun
    assert {answer.status for answer in answers} == {200}
    assert 0.3 <= elapsed < 8 * 0.3


def test_a_rate_for_the_answer(client: Client, server: OSSEmulator) -> None:
    """The body of an answer is sent no faster than the rate."""
    client.send("PUT", "a", body=bytes(1_500_000))
    server.faults.add(Fault(operation="GetObject", rate_bytes_per_second=5_000_000))
    begun = time.monotonic()
    assert len(client.send("GET", "a").body) == 1_500_000
    assert time.monotonic() - begun >= 0.3


def test_a_corrupted_request(client: Client, server: OSSEmulator) -> None:
    """The stored byte differs, and the checksum of the answer is that of what was stored."""
    good = client.send("PUT", "a", body=b"0123456789").headers["x-oss-hash-crc64ecma"]
    server.faults.add(Fault(operation="PutObject", corrupt_request_byte=3))
    bad = client.send("PUT", "a", body=b"0123456789").headers["x-oss-hash-crc64ecma"]
    got = client.send("GET", "a")
    assert got.body == b"0122456789"
    assert got.headers["x-oss-hash-crc64ecma"] == bad != good


def test_a_corrupted_answer(client: Client, server: OSSEmulator) -> None:
    """The byte differs on its way only."""
    client.send("PUT", "a", body=b"0123456789")
    server.faults.add(Fault(operation="GetObject", corrupt_response_byte=3, times=1))
    assert client.send("GET", "a").body == b"0122456789"
    assert client.send("GET", "a").body == b"0123456789"


def test_another_body(client: Client, server: OSSEmulator) -> None:
    """The work is done, but the answer's body is another."""
    server.faults.add(Fault(operation="InitiateMultipartUpload", response_body=b"<html>"))
    answer = client.send("POST", "a", {"uploads": ""})
    assert (answer.status, answer.body) == (200, b"<html>")
    assert b"<Upload>" in client.send("GET", "", {"uploads": ""}).body


@pytest.mark.parametrize(("operation", "method"), [("GetObject", "GET"), ("PutObject", "PUT")])
def test_a_truncated_answer(client: Client, server: OSSEmulator, operation: str, method: str) -> None:
    """The connection closes before the promised length."""
    client.send("PUT", "a", body=bytes(1000))
    server.faults.add(Fault(operation=operation, truncate_response=True))
    with pytest.raises(http.client.IncompleteRead):
        client.send(method, "a", body=b"x" if method == "PUT" else None)
    assert server.requests[-1].status is None


def test_a_stall_ends_with_the_client(client: Client, server: OSSEmulator) -> None:
    """No answer comes; when the client leaves, the request is written down as unanswered."""
    server.faults.add(Fault(operation="PutObject", stall=True))
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("PUT", client.target("a", None), body=b"x", headers=client.signed("PUT", "a"))
    server.faults.wait_for_hits()
    connection.sock.settimeout(0.1)
    with pytest.raises(TimeoutError):
        connection.getresponse()
    connection.close()
    record = server.wait_for_requests(lambda found: found.operation == "PutObject")
    assert (record.status, record.bytes_received) == (None, 1)


@pytest.mark.parametrize("fault", [Fault(stall=True), Fault(latency_seconds=600), Fault(rate_bytes_per_second=1)])
def test_a_waiting_request_does_not_keep_the_server(client: Client, server: OSSEmulator, fault: Fault) -> None:
    """When the server stops, whoever waits is reset soon."""
    server.faults.add(fault)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.send, "PUT", "a", body=bytes(100_000))
        server.faults.wait_for_hits()
        begun = time.monotonic()
        server.__exit__(None, None, None)
        assert time.monotonic() - begun < 20
        with pytest.raises(ConnectionError):
            waiting.result()


def test_waiting_for_hits_gives_up(server: OSSEmulator) -> None:
    """When nothing is hit in time, that is an error which says how far it got."""
    with pytest.raises(TimeoutError, match="0 of 2"):
        server.faults.wait_for_hits(2, timeout_seconds=0.01)


def test_unsigned_requests_do_not_count(client: Client, server: OSSEmulator) -> None:
    """A request that is refused for its signature leaves the faults as they are."""
    server.faults.add(Fault(times=1, status=500))
    forged = dict(client.signed("GET", "a"), authorization="OSS local-access-key-id:forged")
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("GET", client.target("a", None), headers=forged)
    assert connection.getresponse().status == 403
    connection.close()
    assert client.send("GET", "a").status == 500
