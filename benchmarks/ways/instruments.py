"""What the sink can do that OSS cannot: say when a part began to come, and lose a part."""

from __future__ import annotations

import http.client
from typing import Final

from benchmarks.rounds import BUCKET, BenchmarkError, Sink

_FIRST_PART: Final = "/-/first-part"
_OK: Final = (200, 204)


def forget_first_part(sink: Sink) -> None:
    """Make the next part the first one."""
    _ask(sink, "DELETE", _FIRST_PART)


def first_part_seconds(sink: Sink) -> float:
    """Return when the first byte of the first part came, on the clock of ``time.monotonic``."""
    return float(_ask(sink, "GET", _FIRST_PART))


def lose_part(sink: Sink, key: str, upload_id: str, number: int) -> None:
    """Take one part out of an upload."""
    _ask(sink, "DELETE", f"/{BUCKET}/{key}?uploadId={upload_id}&partNumber={number}")


def _ask(sink: Sink, method: str, target: str) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", sink.port, timeout=30)
    try:
        connection.request(method, target)
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    if answer.status not in _OK:
        raise BenchmarkError(f"the sink answered {method} {target} with {answer.status}")
    return body
