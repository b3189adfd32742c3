"""
A tree cut into shards of about equal work, and read in pieces that fit into memory.

A shard is a range of paths in OSS's order of keys, so a listing has it in one stretch, and whatever comes up in the
tree, or goes, belongs to exactly one shard of a plan. Planning walks through the tree once, remembers a *priority
sample* (Duffield, Lund, Thorup: "Priority sampling for estimation of arbitrary subset sums"), and cuts that at the
quantiles of the work. Of a file of weight w the priority is w / u, where u in (0, 1] is made of the path by a hash; the
65,536 files of the highest priority are the sample, and each stands for max(w, threshold) of the work, the threshold
being the highest priority that was left out. So large files count as they are, the many small ones by a few of them,
and the same tree gives the same shards, on any worker.

Up to 65,536 files the plan is exact. Beyond, memory does not grow: some 20 MB for the sample whether there are 100,000
files or ten million, and the directories that wait to be read. Ten million files take what it takes to read their names
and sizes once, and 3.5 microseconds each for the sample: measured on two busy cores and a local disk, 4 million a
minute. The work of one of N shards is then off by about sqrt(N / 65,536): 1 % with 8 shards, 4 % with 100.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import chain, islice
from typing import Any, Final, NamedTuple

from airflow_provider_oss import limits
from airflow_provider_oss.engine.tree.result import Tally
from airflow_provider_oss.engine.tree.walk import (
    LocalFile,
    LocalTree,
    PathRange,
    TreeSource,
    TreeWalk,
    check_meant,
    in_key_order,
    read_tree,
)
from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.failures import Failure

_MOST_SAMPLED: Final = 65_536
MOST_AT_ONCE: Final = 100_000
"""Files in memory at a time: 50 to 100 MB."""
_WORK_OF_A_FILE_BYTES: Final = 256 * limits.KIB
"""What a request takes, and comparing, beside the bytes."""


@dataclass(frozen=True, slots=True)
class Shard:
    """A part of a tree, and about how much is in it."""

    between: PathRange
    files: int
    size_bytes: int

    @property
    def plain(self) -> dict[str, Any]:
        """Plain data, fit for XCom; ``walk.range_of`` reads it."""
        return {**self.between.ends, "files": self.files, "size": self.size_bytes}


class _Sampled(NamedTuple):
    priority: float
    relative: str
    weight: float
    size_bytes: int


class Sample:
    """The files of a tree, as far as they have to be remembered to cut it. See the module."""

    def __init__(self, *, by_files: bool, most: int = _MOST_SAMPLED) -> None:
        """Let work be the number of files, or else their bytes and something for each. Remember up to ``most``."""
        self._by_files = by_files
        self._most = most
        self._kept: list[_Sampled] = []
        self._threshold = 0.0
        self.total = Tally()
        """Of all files."""

    def add(self, relative: str, size_bytes: int) -> None:
        """Take a file, in any order."""
        self.total = self.total.plus(size_bytes)
        weight = 1.0 if self._by_files else float(size_bytes + _WORK_OF_A_FILE_BYTES)
        priority = weight / _chance(relative)
        if priority < self._threshold:
            return
        heapq.heappush(self._kept, _Sampled(priority, relative, weight, size_bytes))
        if len(self._kept) > self._most:
            self._threshold = heapq.heappop(self._kept).priority

    def cut(self, shards: int, between: PathRange) -> list[Shard]:
        """Return what is between both ends in so many shards, or fewer where there are not so many places to cut at."""
        ordered = sorted(self._kept, key=lambda one: in_key_order(one.relative))
        found: list[Shard] = []
        after = between.after
        work = _capped([max(one.weight, self._threshold) for one in ordered], shards)
        for until, group in _groups(ordered, work, shards, in_key_order(after or "")):
            found.append(self._shard(PathRange(after, until or between.until), group))
            after = until
        return found or [Shard(between, 0, 0)]

    def _shard(self, between: PathRange, group: Sequence[_Sampled]) -> Shard:
        stands_for = [max(1.0, self._threshold / one.weight) for one in group]
        size_bytes = sum(one.size_bytes * each for one, each in zip(group, stands_for, strict=True))
        return Shard(between, round(sum(stands_for)), round(size_bytes))


def _chance(relative: str) -> float:
    """Return a number in (0, 1] that follows from the path, and from nothing else."""
    digest = blake2b(in_key_order(relative), digest_size=8).digest()
    return (int.from_bytes(digest, "big") + 1) / 2**64


def _capped(work: list[float], shards: int) -> list[float]:
    """Return the work with nothing above an equal share of the rest: what has more is not to make others wait."""
    rest, left = math.fsum(work), max(1, min(shards, len(work)))
    for one in sorted(work, reverse=True)[: left - 1]:
        if one <= rest / left:
            break
        rest, left = rest - one, left - 1
    return [min(one, rest / left) for one in work]


def _groups(
    ordered: Sequence[_Sampled], work: Sequence[float], shards: int, last_end: bytes
) -> Iterator[tuple[str | None, Sequence[_Sampled]]]:
    """Yield groups of about equal work, each with where it ends, behind ``last_end``; the last one has no end."""
    left, rest = shards, math.fsum(work)
    begin, done = 0, 0.0
    for index, one in enumerate(work):
        if index > begin and left > 1 and done + one / 2 > rest / left:
            end = _end_at(ordered[index - 1].relative)
            if end.encode() > last_end:
                yield end, ordered[begin:index]
                begin, last_end = index, end.encode()
                left, rest, done = left - 1, rest - done, 0.0
        done += one
    if ordered:
        yield None, ordered[begin:]


def _end_at(relative: str) -> str:
    """
    Return the path as the end of a shard: text that any database takes, and no longer than a key.

    Of a name that is no UTF-8 the part before that: such a file is in the next shard then, where it fails as well.
    """
    return in_key_order(relative)[: limits.MAX_KEY_BYTES].decode("utf-8", "replace").partition("\ufffd")[0]


def plan_shards(
    source: TreeSource,
    check: Callable[[], None],
    *,
    shards: int,
    shard_files: int | None = None,
    max_shards: int,
    allow_empty: bool = False,
) -> list[Shard]:
    """
    Return the shards of a tree: at most ``shards`` of about equal work, by bytes and number of files.

    With ``shard_files`` there are as many more as are needed for each to have about so many files at most. There is
    always one, if only for an empty directory. What cannot be read is left to whoever reads the shards.

    Raises OSSInvalidArgument for more than ``max_shards``, OSSInvalidSource when the directory cannot be read, or its
    files are not meant, unless that is allowed.
    """
    sample = Sample(by_files=shard_files is not None)
    walk = TreeWalk(source, check, is_quiet=True)
    has_problems = False
    for found in walk.run():
        if isinstance(found, LocalFile):
            sample.add(found.relative, found.size_bytes)
        else:
            has_problems = True
    if not (sample.total.count or has_problems or walk.left_out or allow_empty):
        check_meant(source)
    number = shards if shard_files is None else max(shards, math.ceil(sample.total.count / shard_files))
    found_shards = sample.cut(number, source.between)
    if len(found_shards) > max_shards:
        raise OSSInvalidArgument(
            f"shards={shards} and shard_files={shard_files} make {len(found_shards)} shards of the "
            f"{sample.total.count} files of {source.directory!r}, and max_shards={max_shards}: ask for fewer, or raise "
            "max_shards and, on Airflow's side, [core] max_map_length, which is 1024 unless it was set and bounds how "
            "many tasks can be mapped"
        )
    return found_shards


class TreePieces:
    """A tree, or a shard of one, read piece by piece: whole if it has few files, else by ranges of its paths."""

    def __init__(self, source: TreeSource, check: Callable[[], None], most_files: int = MOST_AT_ONCE) -> None:
        """
        Walk through the tree, and decide: a piece has about ``most_files`` files at most.

        In the memory that so many files and a sample take. Raises OSSInvalidSource as TreeWalk does.
        """
        self._source = source
        self._check = check
        self._tree: LocalTree | None = LocalTree()
        self._ranges: list[PathRange] = []
        walk = TreeWalk(source, check)
        found = walk.run()
        for one in islice(found, most_files):
            self._tree.add(one)
        rest = next(found, None)
        if rest is None:
            self.total = Tally(len(self._tree.files) + len(self._tree.problems), self._tree.size_bytes)
            """Files, and what could not be read."""
            self._tree.left_out = walk.left_out
            self._tree.sort()
            return
        sample = Sample(by_files=True)
        for one in chain(self._tree.files, self._tree.problems, (rest,)):
            sample.add(*_name_and_size(one))
        self._tree = None
        for one in found:
            sample.add(*_name_and_size(one))
        self.total = sample.total
        shards = sample.cut(math.ceil(self.total.count / most_files), source.between)
        self._ranges = [shard.between for shard in shards]

    def __iter__(self) -> Iterator[tuple[TreeSource, LocalTree]]:
        """Yield each piece, and what is found of it: there is one at a time in memory."""
        if self._tree is not None:
            yield self._source, self._tree
            return
        for between in self._ranges:
            piece = replace(self._source, shard=between)
            yield piece, read_tree(piece, self._check, is_quiet=True)


def _name_and_size(found: LocalFile | Failure) -> tuple[str, int]:
    return (found.relative, found.size_bytes) if isinstance(found, LocalFile) else (found.name, 0)
