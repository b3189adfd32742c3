"""What other storages hold: files of this worker by a glob, and an object of another bucket by its path."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from airflow_provider_oss.transfers.object_storage_to_oss import ObjectStorageToOSSOperator
from tests.chaos.kinds.paths import forget_connections
from tests.chaos.scenario import SIZE_BYTES
from tests.chaos.transfers import IN_PARTS, Transfer
from tests.chaos.world import CONN_ID, PART_BYTES, World, demand
from tests.support.trees import write_tree

_SIZES = {"equal.bin": 3_000, "large.bin": 2 * PART_BYTES + 500, "larger.bin": PART_BYTES + 1, "new/small.bin": 1_000}
_SOURCE_BUCKET = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageGlob(Transfer):
    """The files that a glob matches."""

    name: ClassVar[str] = "storage-glob"
    calls: ClassVar[tuple[str, ...]] = ("HeadObject", *IN_PARTS, "PutObject")

    def make_source(self, world: World, random: random.Random) -> None:
        del world
        write_tree(self.folder / "tree", {name: random.randbytes(size) for name, size in _SIZES.items()})

    def make_old(self, world: World) -> None:
        world.bucket().put_object(f"{self.key}equal.bin", (self.folder / "tree" / "equal.bin").read_bytes())
        world.bucket().put_object(f"{self.key}larger.bin", b"old")

    def operator(self) -> Any:
        return ObjectStorageToOSSOperator(
            source=f"file://{self.folder}/tree/**/*.bin", prefix=self.key, **self.arguments()
        )

    def check(self, contents: Mapping[str, bytes], result: Any) -> None:
        demand(contents == self._wanted(), f"the objects are the files, but: {sorted(contents)}")
        demand(len(result["objects"]) == len(_SIZES) and not result["failed"], f"the result tells the files: {result}")

    def finish(self, world: World) -> None:
        world.finish({f"{self.key}{name}": content for name, content in self._wanted().items()})

    def _wanted(self) -> dict[str, bytes]:
        return {name: (self.folder / "tree" / name).read_bytes() for name in _SIZES}


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageObject(Transfer):
    """An object of another bucket, read in ranges through the filesystem of this package."""

    name: ClassVar[str] = "storage-object"
    calls: ClassVar[tuple[str, ...]] = ("HeadObject", "GetObject", *IN_PARTS)

    def make_source(self, world: World, random: random.Random) -> None:
        content = random.randbytes(SIZE_BYTES)
        world.bucket(_SOURCE_BUCKET).put_object(f"{self.key}source", content)
        (self.folder / "copied").write_bytes(content)

    def make_old(self, world: World) -> None:
        world.bucket().put_object(f"{self.key}object", b"old")

    def operator(self) -> Any:
        forget_connections()
        return ObjectStorageToOSSOperator(
            source=f"oss://{CONN_ID}@{_SOURCE_BUCKET}/{self.key}source", key=f"{self.key}object", **self.arguments()
        )

    def goes_unnoticed(self, fault: str, operation: str) -> bool:
        """A range has no checksum."""
        return (fault, operation) == ("flip-answer", "GetObject")

    def check(self, contents: Mapping[str, bytes], result: Any) -> None:
        demand(contents == {"object": (self.folder / "copied").read_bytes()}, "the object is equal to its source")
        demand(result["size"] == SIZE_BYTES, f"the result tells the size: {result}")

    def finish(self, world: World) -> None:
        world.finish({f"{self.key}object": (self.folder / "copied").read_bytes()})
