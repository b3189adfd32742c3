"""Small files, one of a middling size and some of several parts, of a directory and by their names; some are there."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from airflow_provider_oss.operators.directory import OSSUploadDirectoryOperator
from airflow_provider_oss.operators.files import OSSUploadFilesOperator
from tests.chaos.transfers import IN_PARTS, Transfer
from tests.chaos.world import PART_BYTES, World, demand
from tests.support.trees import write_tree

_SIZES = {
    "changed.txt": 900,
    "empty.txt": 0,
    "equal.txt": 1_000,
    "equal-large.bin": 2 * PART_BYTES,
    "large.bin": 2 * PART_BYTES + 500,
    "middling.bin": 80_000,
    "new/deep/small.txt": 1_200,
    "new/large.bin": PART_BYTES + 1,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory(Transfer):
    """The files of a directory; surplus objects are deleted."""

    name: ClassVar[str] = "directory"
    calls: ClassVar[tuple[str, ...]] = (
        "ListObjectsV2",
        "HeadObject",
        *IN_PARTS,
        "PutObject",
        "DeleteMultipleObjects",
    )

    def make_source(self, world: World, random: random.Random) -> None:
        del world
        write_tree(self._tree, {name: random.randbytes(size) for name, size in _SIZES.items()})

    def make_old(self, world: World) -> None:
        bucket = world.bucket()
        for name in ("equal.txt", "equal-large.bin"):
            bucket.put_object(f"{self.key}{name}", (self._tree / name).read_bytes())
        for name in ("changed.txt", "surplus.txt", "surplus/other.txt"):
            bucket.put_object(f"{self.key}{name}", b"old")

    def operator(self) -> Any:
        return OSSUploadDirectoryOperator(
            directory=str(self._tree), key=self.key, delete_removed=True, **self.arguments()
        )

    def check(self, contents: Mapping[str, bytes], result: Any) -> None:
        wanted = {name: (self._tree / name).read_bytes() for name in _SIZES}
        demand(contents == wanted, f"the objects are the files, but: {sorted(contents)}")
        demand(result["files"] == len(_SIZES) and not result["failed"], f"the result tells the files: {result}")

    def may_fail(self, fault: str, operation: str) -> bool:
        """What OSS reports deleted is compared when the answer is read."""
        return (fault, operation) == ("flip-answer", "DeleteMultipleObjects")

    def finish(self, world: World) -> None:
        world.finish({f"{self.key}{name}": (self._tree / name).read_bytes() for name in _SIZES})

    @property
    def _tree(self) -> Any:
        return self.folder / "tree"


@dataclass(frozen=True, slots=True, kw_only=True)
class Files(Directory):
    """Files that are named one by one; what else is there stays."""

    name: ClassVar[str] = "files"
    calls: ClassVar[tuple[str, ...]] = ("HeadObject", *IN_PARTS, "PutObject")

    def make_old(self, world: World) -> None:
        bucket = world.bucket()
        for name in ("equal.txt", "equal-large.bin"):
            bucket.put_object(f"{self.key}{name}", (self._tree / name).read_bytes())
        bucket.put_object(f"{self.key}changed.txt", b"old")

    def operator(self) -> Any:
        files = {name: str(self._tree / name) for name in _SIZES}
        return OSSUploadFilesOperator(files=files, key=self.key, **self.arguments())
