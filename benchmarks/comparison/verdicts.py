"""What is claimed of a comparison. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from benchmarks.clients import CLIENTS, CURL, HOOK, OPENDAL, OPERATOR, OSS_V2
from benchmarks.suite import Verdict, at_most
from benchmarks.summary import MIB, Summary

Found = dict[str, Summary]
"""What was measured, by the clients' names."""

_ALLOWANCE_MIB: Final = 16
_NAMES: Final = {"wall": "wall time", "cpu": "CPU"}


def past_imports(found: Found) -> Iterator[Verdict]:
    """Yield whether the hook needs a seventh of what the better checking SDK needs, and no more than Rust and curl."""
    for kind, words in _NAMES.items():
        measure = f"{kind}_seconds"
        if better := _better_sdk(found, measure):
            claim = f"{words} past all imports at most 1/7 of {better}'s, the better SDK that checks"
            yield at_most(claim, _ratio(found, HOOK.name, better, measure), 1 / 7)
    yield from _times(found, OPENDAL.name, "cpu", 1.0, "CPU past all imports at most opendal's")
    yield from _times(found, CURL.name, "wall", 1.2, "wall time past all imports at most 1.2 times curl's")


def whole_task(found: Found) -> Iterator[Verdict]:
    """Yield whether the operator with its import needs a quarter of what the better checking SDK needs with its own."""
    for kind, words in _NAMES.items():
        measure = f"{kind}_with_import_seconds"
        if better := _better_sdk(found, measure):
            claim = f"{words} of the task past `import airflow.sdk` at most 1/4 of {better}'s with its import"
            yield at_most(claim, _ratio(found, OPERATOR.name, better, measure), 1 / 4)


def half_of_v2(found: Found) -> Iterator[Verdict]:
    """Yield whether the hook needs half of what alibabacloud-oss-v2 needs."""
    for kind, words in _NAMES.items():
        yield from _times(found, OSS_V2.name, kind, 0.5, f"{words} past all imports at most 1/2 of {OSS_V2.name}'s")


def memory(found: Found, part_size_bytes: int, parallel: int) -> Iterator[Verdict]:
    """Yield whether hook and operator stayed within ``parallel`` + 1 parts and an allowance, in every round."""
    limit = (parallel + 1) * part_size_bytes / MIB + _ALLOWANCE_MIB
    for name in (HOOK.name, OPERATOR.name):
        claim = f"{name}: peak memory over the imports at most {parallel + 1} parts and {_ALLOWANCE_MIB} MiB"
        yield at_most(claim, found[name]["peak_over_imports_mib"].highest, limit, "MiB")


def _times(found: Found, other: str, kind: str, target: float, claim: str) -> Iterator[Verdict]:
    """Yield the verdict on the hook in relation to another client; nothing when that was left out."""
    if other in found:
        yield at_most(claim, _ratio(found, HOOK.name, other, f"{kind}_seconds"), target)


def _better_sdk(found: Found, measure: str) -> str | None:
    names: Sequence[str] = [name for name in found if CLIENTS[name].role == "checking SDK"]
    return min(names, key=lambda name: found[name][measure].median, default=None)


def _ratio(found: Found, ours: str, other: str, measure: str) -> float:
    return found[ours][measure].median / found[other][measure].median
