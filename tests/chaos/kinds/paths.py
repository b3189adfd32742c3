"""Paths, as a task of a user's own works with them: written, put, read, got, copied and removed."""

from __future__ import annotations

import hashlib
import random
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_oss.fs.filesystem import OSSFileSystem
from airflow_provider_oss.hooks.oss import OSSHook
from tests.chaos.scenario import SIZE_BYTES
from tests.chaos.tasks import TASK_ID, HookOperator
from tests.chaos.transfers import Transfer
from tests.chaos.world import BUCKET, CONN_ID, PART_BYTES, World, demand


def forget_connections() -> None:
    """Let the filesystems that are kept read their connections anew, as in a new process."""
    for kept in OSSFileSystem._cache.values():
        kept._hooks.clear()


@dataclass(frozen=True, slots=True, kw_only=True)
class PathTransfer(Transfer):
    """Something that is done below a path."""

    continues: ClassVar[bool] = False

    def operator(self) -> Any:
        return HookOperator(work=self._work, task_id=TASK_ID, oss_conn_id=CONN_ID)

    def _work(self, _: OSSHook) -> Any:
        forget_connections()
        folder = ObjectStoragePath(f"oss://{CONN_ID}@{BUCKET}/{self.key}")
        folder.fs.hook.connect()
        return self.act(folder)

    @abstractmethod
    def act(self, folder: ObjectStoragePath) -> Any:
        """Do it."""

    @property
    def content(self) -> bytes:
        """What the source has."""
        return self._source.read_bytes()

    @property
    def _source(self) -> Path:
        return self.folder / "content"

    def make_source(self, world: World, random: random.Random) -> None:
        del world
        self._source.write_bytes(random.randbytes(SIZE_BYTES))

    def make_old(self, world: World) -> None:
        world.bucket().put_object(f"{self.key}object", b"old")

    def check(self, contents: Mapping[str, bytes], result: Any) -> None:
        del result
        demand(contents == {"object": self.content}, f"the object is equal to what was written, but: {list(contents)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PathWrite(PathTransfer):
    """A file that is written piece by piece: an upload in parts."""

    name: ClassVar[str] = "path-write"
    calls: ClassVar[tuple[str, ...]] = ("InitiateMultipartUpload", "UploadPart", "CompleteMultipartUpload")

    def may_fail(self, fault: str, operation: str) -> bool:
        """What is written can be read once: an upload that has to begin anew is left to the next attempt."""
        has_wrong_id = (fault, operation) == ("flip-answer", "InitiateMultipartUpload")
        return has_wrong_id or fault in ("gone", "expired-renewed")

    def act(self, folder: ObjectStoragePath) -> Any:
        content = self.content
        with (folder / "object").open("wb", part_size=PART_BYTES, parallel=self.parallel) as file:
            for start in range(0, len(content), 30_000):
                file.write(content[start : start + 30_000])


@dataclass(frozen=True, slots=True, kw_only=True)
class PathPut(PathTransfer):
    """A file of this machine that is put."""

    name: ClassVar[str] = "path-put"
    calls: ClassVar[tuple[str, ...]] = ("InitiateMultipartUpload", "UploadPart", "CompleteMultipartUpload")

    def act(self, folder: ObjectStoragePath) -> Any:
        target = f"{BUCKET}/{self.key}object"
        folder.fs.put_file(str(self._source), target, part_size=PART_BYTES, parallel=self.parallel)


@dataclass(frozen=True, slots=True, kw_only=True)
class PathRead(PathTransfer):
    """An object that is read as a whole, in ranges, and into a file."""

    name: ClassVar[str] = "path-read"
    calls: ClassVar[tuple[str, ...]] = ("HeadObject", "GetObject")

    def make_source(self, world: World, random: random.Random) -> None:
        content = random.randbytes(SIZE_BYTES)
        self._source.write_bytes(content)
        world.bucket().put_object(f"{self.key}object", content)

    def make_old(self, world: World) -> None:
        del world

    def act(self, folder: ObjectStoragePath) -> Any:
        path = folder / "object"
        whole = path.read_bytes()
        with path.open("rb", block_size=PART_BYTES) as file:
            in_ranges = file.read(PART_BYTES) + file.read()
        folder.fs.get_file(f"{BUCKET}/{self.key}object", str(self._got))
        return [_digest(content) for content in (whole, in_ranges, self._got.read_bytes())]

    @property
    def _got(self) -> Path:
        return self.folder / "got"

    def goes_unnoticed(self, fault: str, operation: str) -> bool:
        """A range has no checksum."""
        return (fault, operation) == ("flip-answer", "GetObject")

    def may_fail(self, fault: str, operation: str) -> bool:
        """Only what comes later contradicts an answer that has too many bytes."""
        return (fault, operation) == ("huge", "GetObject")

    def contents(self, world: World) -> dict[str, bytes]:
        """Return the object, and the file."""
        got = {"got": self._got.read_bytes()} if self._got.exists() else {}
        return super(PathRead, self).contents(world) | got

    def check(self, contents: Mapping[str, bytes], result: Any) -> None:
        demand(contents == dict.fromkeys(("object", "got"), self.content), "the file is equal to the object")
        demand(result == [_digest(self.content)] * 3, "what was read is equal to the object")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class PathChange(PathTransfer):
    """An object that is copied, and a directory that is removed."""

    name: ClassVar[str] = "path-change"
    calls: ClassVar[tuple[str, ...]] = ("HeadObject", "CopyObject", "ListObjectsV2", "DeleteMultipleObjects")

    def make_source(self, world: World, random: random.Random) -> None:
        content = random.randbytes(SIZE_BYTES)
        self._source.write_bytes(content)
        world.bucket().put_object(f"{self.key}object", content)

    def make_old(self, world: World) -> None:
        for name in ("copy", "tree/one", "tree/deep/two"):
            world.bucket().put_object(f"{self.key}{name}", b"old")

    def act(self, folder: ObjectStoragePath) -> Any:
        (folder / "object").copy(folder / "copy")
        tree = folder / "tree"
        if tree.exists():
            tree.rmdir()

    def goes_unnoticed(self, fault: str, operation: str) -> bool:
        """A listing has no checksum: a key in it may be another one."""
        return (fault, operation) == ("flip-answer", "ListObjectsV2")

    def may_fail(self, fault: str, operation: str) -> bool:
        """What OSS reports deleted is compared when the answer is read."""
        return (fault, operation) == ("flip-answer", "DeleteMultipleObjects")

    def check(self, contents: Mapping[str, bytes], result: Any) -> None:
        del result
        demand(contents == dict.fromkeys(("object", "copy"), self.content), f"it is copied, but: {list(contents)}")
