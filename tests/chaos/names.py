"""Names that HTTP, XML and URLs find hard: each round-trips exactly, also in parts, and when an upload id is lost."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

from airflow_provider_oss.emulator import Fault
from tests.chaos.scenario import Measured, Scenario, Scene, check_clean_end
from tests.chaos.tasks import Kind, attempt
from tests.chaos.world import demand

KEYS: Final = {
    "unicode": "報告/ümläut-\U0001f600.bin",
    "reserved": "a+b #c?d%e&f=g;h:i@j,k!l$m'n(o)p*q[r]s",
    "escapes": "%2F%25%00-is-no-escape",
    "dots": "a/../b/./c",
    "dot-ends": "a/..",
    "slashes": "a//b///c/",
    "longest": "k" * 1023,
    "longest-unicode": "é" * 511 + "k",
    "spaces": " begins and ends with a space ",
    "markup": '<a href="x">&amp;</a>]]>',
    "tab": "a\tb",
    "newline": "a\nb",
    "control": "a\x01b\x1fc\x7fd",
    "backslash": "a\\b",
    "query": "a?uploads&uploadId=1",
    "uri": "x/oss://bucket/key",
}  # fmt: skip
META: Final = {"plain": "v", "unicode": "Größe 報告 \U0001f600", "quotes": "a\"b'c,d;e", "percent": "100% +1 %20"}


def scenarios() -> Iterator[Scenario]:
    """Yield every name, in parts with a lost id, and in one request."""
    for name in KEYS:
        yield Scenario(f"names:{name}:parts", partial(_round_trip, name, "resumable"))
        yield Scenario(f"names:{name}:put", partial(_round_trip, name, "bytes"))
        yield Scenario(f"names:{name}:stream", partial(_round_trip, name, "callable"))


def _round_trip(name: str, kind: Kind, scene: Scene) -> Measured:
    with scene.own_world() as world:
        job = scene.job(kind=kind, key=KEYS[name], options={"meta": META, "tags": {"Größe": "a b+c"}})
        world.server.faults.add(Fault(operation="InitiateMultipartUpload", times=1, reset="after"))
        ended = attempt(job)
        demand(ended.error is None, f"the name is no obstacle, but: {ended}")
        demand(ended.result and ended.result["key"] == KEYS[name], "the result has the very name")
        demand([item.key for item in world.objects()] == [KEYS[name]], "the object has the very name")
        headers = world.bucket().head_object(KEYS[name]).headers
        for key, value in META.items():
            stored = headers[f"x-oss-meta-{key}"].encode("latin-1").decode()
            demand(stored == value, f"metadata come back as they were given: {value!r}, not {stored!r}")
        return check_clean_end(world, job)
