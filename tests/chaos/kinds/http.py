"""What an HTTP server answers: in ranges, and forward."""

from __future__ import annotations

import json
import os
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, Final

from airflow_provider_oss.transfers.http_to_oss import HttpToOSSOperator
from tests.chaos.scenario import SIZE_BYTES, Scene
from tests.chaos.transfers import IN_PARTS, Expected, Transfer
from tests.chaos.world import World, demand
from tests.support.web_server import Answer, Handler, WebServer, chunked, ranged

_CONN_ID = "web"
_TIMEOUT_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRanges(Transfer):
    """A page that the server sends in ranges, each on condition of its ETag."""

    pages: _Pages

    name: ClassVar[str] = "http-ranges"
    calls: ClassVar[tuple[str, ...]] = IN_PARTS
    source_faults: ClassVar[Mapping[str, Expected]] = {
        **dict.fromkeys(("500", "503", "429", "closed", "cut", "stall"), Expected.REPEATED),
        "other-etag": Expected.RETRIED,
        **dict.fromkeys(("403", "404", "501", "too-long", "another-range"), Expected.FOR_GOOD),
    }

    @classmethod
    @contextmanager
    def staged(cls, scene: Scene) -> Iterator[Mapping[str, Any]]:
        del scene
        with WebServer() as server:
            yield {"pages": _Pages(server.url, server)}

    def make_source(self, world: World, random: random.Random) -> None:
        del world
        content = random.randbytes(SIZE_BYTES)
        (self.folder / "page").write_bytes(content)
        self.pages.serve(f"/{self.key}page", self.handler(content))

    def handler(self, content: bytes) -> Handler:
        """Return what answers."""
        return ranged(content, etag=f'"{content[:8].hex()}"')

    def make_old(self, world: World) -> None:
        world.bucket().put_object(f"{self.key}object", b"old")

    def operator(self) -> Any:
        os.environ[f"AIRFLOW_CONN_{_CONN_ID.upper()}"] = json.dumps({"conn_type": "http", "host": self.pages.url})
        return HttpToOSSOperator(
            endpoint=f"/{self.key}page",
            http_conn_id=_CONN_ID,
            key=f"{self.key}object",
            extra_options={"timeout": _TIMEOUT_SECONDS},
            **self.arguments(),
        )

    def check(self, contents: Mapping[str, bytes], result: Any) -> None:
        demand(contents == {"object": (self.folder / "page").read_bytes()}, "the object is equal to the page")
        demand(result["size"] == SIZE_BYTES, f"the result tells the size: {result}")

    def finish(self, world: World) -> None:
        world.finish({f"{self.key}object": (self.folder / "page").read_bytes()})

    def source_calls(self) -> int:
        return self.pages.asked

    def spoil_source(self, fault: str, skip: int, *, always: bool) -> None:
        self.pages.spoil(_SPOILT[fault], self.pages.asked + skip, always=always)

    def mend_source(self) -> None:
        self.pages.spoil(None, 0, always=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpForward(HttpRanges):
    """A page that comes in chunks, without a length."""

    name: ClassVar[str] = "http-forward"
    source_faults: ClassVar[Mapping[str, Expected]] = {
        **dict.fromkeys(("500", "503", "429", "closed", "stall"), Expected.REPEATED),
        "cut": Expected.RETRIED,
        **dict.fromkeys(("403", "404", "501"), Expected.FOR_GOOD),
    }

    def handler(self, content: bytes) -> Handler:
        return chunked(content)


class _Pages:
    """The web server's pages; another process knows no more of it than its address."""

    def __init__(self, url: str, server: WebServer | None = None) -> None:
        self.url = url
        self.asked = 0
        self._server = server
        self._lock = threading.Lock()
        self._spoil: Callable[[Answer], Answer] | None = None
        self._spoilt = range(0)

    def __reduce__(self) -> Any:
        return _Pages, (self.url,)

    def serve(self, path: str, handler: Handler) -> None:
        """Answer what is asked of the path."""
        assert self._server is not None
        self._server.pages[path] = lambda request: self._answer(handler(request))

    def spoil(self, how: Callable[[Answer], Answer] | None, number: int, *, always: bool) -> None:
        """Spoil the answer of that number, or all from it on; with None, no more."""
        with self._lock:
            self._spoil, self._spoilt = how, range(number, sys.maxsize if always else number + 1)

    def _answer(self, answer: Answer) -> Answer:
        with self._lock:
            spoil = self._spoil if self.asked in self._spoilt else None
            self.asked += 1
        return answer if spoil is None else spoil(answer)


def _with_status(status: int, _: Answer) -> Answer:
    return Answer(status, {"Content-Length": "0"})


def _close(_: Answer) -> Answer:
    raise ConnectionError("the server closes the connection")


def _stall(answer: Answer) -> Answer:
    time.sleep(2 * _TIMEOUT_SECONDS)
    return answer


def _cut(answer: Answer) -> Answer:
    return replace(answer, cut_at=len(answer.body) // 2)


def _too_long(answer: Answer) -> Answer:
    return replace(answer, body=answer.body + b"more").with_headers(Content_Length=str(len(answer.body) + 4))


def _another_range(answer: Answer) -> Answer:
    return answer.with_headers(Content_Range="bytes 1-2/3")


def _other_etag(answer: Answer) -> Answer:
    return answer.with_headers(ETag='"another"')


_SPOILT: Final[Mapping[str, Callable[[Answer], Answer]]] = {
    **{str(status): partial(_with_status, status) for status in (403, 404, 429, 500, 501, 503)},
    "closed": _close,
    "stall": _stall,
    "cut": _cut,
    "too-long": _too_long,
    "another-range": _another_range,
    "other-etag": _other_etag,
}
"""What becomes of an answer."""
