"""Small files, one of a middling size and some of several parts, of a directory and by their names; some are there."""

from __future__ import annotations

import random
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from airflow_provider_oss.operators.directory import OSSUploadDirectoryOperator
from airflow_provider_oss.operators.files import OSSUploadFilesOperator
from tests.chaos.transfers import IN_PARTS, Transfer
from tests.chaos.world import PART_BYTES, World, demand
from tests.support.trees import write_tree


@dataclass(frozen=True, slots=True, kw_only=True)
class _Many(Transfer):
    """Files below a prefix."""

    sizes: ClassVar[Mapping[str, int]]
    equal: ClassVar[tuple[str, ...]]
    """Those that are there already."""
    old: ClassVar[tuple[str, ...]]
    """What is there otherwise."""

    @abstractmethod
    def operator(self) -> Any: ...

    def make_source(self, world: World, random: random.Random) -> None:
        del world
        write_tree(self._tree, {name: random.randbytes(size) for name, size in self.sizes.items()})

    def make_old(self, world: World) -> None:
        bucket = world.bucket()
        for name in self.equal:
            bucket.put_object(f"{self.key}{name}", (self._tree / name).read_bytes())
        for name in self.old:
            bucket.put_object(f"{self.key}{name}", b"old")

    def check(self, contents: Mapping[str, bytes], result: Any) -> None:
        wanted = {name: (self._tree / name).read_bytes() for name in self.sizes}
        demand(contents == wanted, f"the objects are the files, but: {sorted(contents)}")
        demand(result["files"] == len(self.sizes) and not result["failed"], f"the result tells the files: {result}")

    def finish(self, world: World) -> None:
        world.finish({f"{self.key}{name}": (self._tree / name).read_bytes() for name in self.sizes})

    @property
    def _tree(self) -> Path:
        return self.folder / "tree"


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory(_Many):
    """The files of a directory; surplus objects are deleted."""

    name: ClassVar[str] = "directory"
    calls: ClassVar[tuple[str, ...]] = (
        "ListObjectsV2",
        "HeadObject",
        *IN_PARTS,
        "PutObject",
        "DeleteMultipleObjects",
    )
    sizes: ClassVar[Mapping[str, int]] = {
        "changed.txt": 900,
        "empty.txt": 0,
        "equal.txt": 1_000,
        "equal-large.bin": 2 * PART_BYTES,
        "large.bin": 2 * PART_BYTES + 500,
        "middling.bin": 80_000,
        "new/deep/small.txt": 1_200,
        "new/large.bin": PART_BYTES + 1,
    }
    equal: ClassVar[tuple[str, ...]] = ("equal.txt", "equal-large.bin")
    old: ClassVar[tuple[str, ...]] = ("changed.txt", "surplus.txt", "surplus/other.txt")

    def operator(self) -> Any:
        return OSSUploadDirectoryOperator(
            directory=str(self._tree), key=self.key, delete_removed=True, **self.arguments()
        )

    def may_miss_surplus(self, fault: str, operation: str) -> bool:
        return (fault, operation) == ("flip-answer", "ListObjectsV2")

    def may_fail(self, fault: str, operation: str) -> bool:
        """What OSS reports deleted is compared when the answer is read."""
        return (fault, operation) == ("flip-answer", "DeleteMultipleObjects")


@dataclass(frozen=True, slots=True, kw_only=True)
class Files(_Many):
    """Files that are named one by one."""

    name: ClassVar[str] = "files"
    calls: ClassVar[tuple[str, ...]] = ("HeadObject", *IN_PARTS, "PutObject")
    sizes: ClassVar[Mapping[str, int]] = {
        "changed.txt": 900,
        "equal.txt": 1_000,
        "large.bin": 2 * PART_BYTES + 500,
        "middling.bin": 80_000,
    }
    equal: ClassVar[tuple[str, ...]] = ("equal.txt",)
    old: ClassVar[tuple[str, ...]] = ("changed.txt",)

    def operator(self) -> Any:
        files = {name: str(self._tree / name) for name in self.sizes}
        return OSSUploadFilesOperator(files=files, key=self.key, **self.arguments())
