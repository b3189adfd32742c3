"""One directory by many mapped tasks, played one after the other; surplus objects are deleted by the last one."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

from airflow_provider_oss.exceptions import OSSSourceElsewhere
from airflow_provider_oss.operators.directory import OSSUploadDirectoryOperator
from airflow_provider_oss.operators.shards import OSSFinishDirectoryOperator, OSSPlanDirectoryOperator
from tests.chaos.grouped import GroupOperator
from tests.chaos.transfers import IN_PARTS, Transfer
from tests.chaos.world import CONN_ID, PART_BYTES, World, demand
from tests.support.trees import read_tree, write_tree

_SHARDS = 3
_SIZES = {
    "changed.txt": 900,
    "equal.txt": 1_000,
    "equal-large.bin": 2 * PART_BYTES,
    "large.bin": 2 * PART_BYTES + 500,
    "middling.bin": 80_000,
    "new/deep/large.bin": PART_BYTES + 1,
    "new/empty.txt": 0,
    "new/small.txt": 1_200,
}
_EQUAL = ("equal.txt", "equal-large.bin")
_OLD = ("tree/changed.txt", "tree/a-surplus.txt", "tree/m/surplus.txt", "tree/z-surplus.txt")
_OF_OTHERS = ("tree/kept/not-meant.txt", "tree-beside.txt")
"""What no task may touch: the globs do not mean it, or it is not below the prefix."""


class DirectoryGroup(GroupOperator):
    """
    The tasks of one directory.

    Who replaces it meanwhile lets the run come to its end, and starts another one. When a shard has lost all its files,
    the run is cleared at once: the error says so.
    """

    def __init__(self, *, directory: Path, key: str, sending: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._directory = directory
        self._key = key
        self._sending = sending

    def run_all(self) -> Any:
        try:
            result = self._run_once()
        except OSSSourceElsewhere:
            if not self._was_replaced():
                raise
        else:
            if not self._was_replaced():
                return result
        self.clear()
        return self._run_once()

    def _run_once(self) -> Any:
        self.once("directory", self._digests)
        tree = {"directory": str(self._directory), "exclude": "kept/**"}
        shards = self.run_task("plan", OSSPlanDirectoryOperator, key=self._key, shards=_SHARDS, **tree)
        sending = {"key": self._key, **tree, **self._sending}
        results = self.run_mapped(
            partial(self.run_task, f"send-{number}", OSSUploadDirectoryOperator, shard=shard, **sending)
            for number, shard in enumerate(shards)
        )
        surplus = {"shards": shards, "results": results, "delete_removed": True}
        return self.run_task("finish", OSSFinishDirectoryOperator, key=self._key, **surplus, **tree)

    def _was_replaced(self) -> bool:
        planned: dict[str, str] = self.once("directory", self._digests)
        return planned != self._digests()

    def _digests(self) -> dict[str, str]:
        return {name: sha256(content).hexdigest() for name, content in read_tree(self._directory).items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shards(Transfer):
    """The files of a directory, in three shards; surplus objects are deleted in the end."""

    name: ClassVar[str] = "shards"
    calls: ClassVar[tuple[str, ...]] = (
        "ListObjectsV2",
        "HeadObject",
        *IN_PARTS,
        "PutObject",
        "DeleteMultipleObjects",
    )

    def make_source(self, world: World, random: random.Random) -> None:
        """Replace all files; some names are there only once."""
        del world
        sizes = _SIZES | {f"m/at-times-{random.randrange(1_000_000)}.bin": PART_BYTES + 300}
        for name in read_tree(self._tree).keys() - sizes.keys():
            (self._tree / name).unlink()
        write_tree(self._tree, {name: random.randbytes(size) for name, size in sizes.items()})

    def make_old(self, world: World) -> None:
        bucket = world.bucket()
        for name in _EQUAL:
            bucket.put_object(f"{self.key}tree/{name}", (self._tree / name).read_bytes())
        for name in (*_OLD, *_OF_OTHERS):
            bucket.put_object(f"{self.key}{name}", b"old")

    def operator(self) -> Any:
        return DirectoryGroup(
            state=self.state,
            directory=self._tree,
            key=f"{self.key}tree",
            sending={"part_size": PART_BYTES, "parallel": self.parallel},
            task_id="shards",
            oss_conn_id=CONN_ID,
        )

    def may_miss_surplus(self, fault: str, operation: str) -> bool:
        return (fault, operation) == ("flip-answer", "ListObjectsV2")

    def may_fail(self, fault: str, operation: str) -> bool:
        """What OSS reports deleted is compared when the answer is read."""
        return (fault, operation) == ("flip-answer", "DeleteMultipleObjects")

    def check(self, contents: Mapping[str, bytes], result: Any) -> None:
        files = {f"tree/{name}": content for name, content in read_tree(self._tree).items()}
        wanted = files | dict.fromkeys(_OF_OTHERS, b"old")
        demand(contents == wanted, f"the objects are the files, and those of others, but: {sorted(contents)}")
        demand(result["files"] == len(files) and not result["failed"], f"the result tells the files: {result}")

    def finish(self, world: World) -> None:
        world.finish({f"{self.key}tree/{name}": content for name, content in read_tree(self._tree).items()})

    @property
    def _tree(self) -> Path:
        return self.folder / "tree"
