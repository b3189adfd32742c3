"""Copies that OSS makes, from another bucket: in one request, and in parts."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from airflow_provider_oss.operators.copy import OSSCopyObjectOperator
from tests.chaos.scenario import SIZE_BYTES
from tests.chaos.transfers import Transfer
from tests.chaos.world import World, demand

_SOURCE_BUCKET = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyAsOne(Transfer):
    """A small object, with tags, in one request."""

    name: ClassVar[str] = "copy"
    calls: ClassVar[tuple[str, ...]] = ("HeadObject", "GetObjectTagging", "CopyObject")
    continues: ClassVar[bool] = False
    threshold: ClassVar[int] = SIZE_BYTES

    def make_source(self, world: World, random: random.Random) -> None:
        content = random.randbytes(SIZE_BYTES)
        headers = {"x-oss-tagging": "kind=copy", "x-oss-meta-kind": "copy"}
        world.bucket(_SOURCE_BUCKET).put_object(f"{self.key}object", content, headers=headers)
        (self.folder / "copied").write_bytes(content)

    def make_old(self, world: World) -> None:
        world.bucket().put_object(f"{self.key}object", b"old")

    def operator(self) -> Any:
        return OSSCopyObjectOperator(
            source_key=f"{self.key}object",
            source_bucket_name=_SOURCE_BUCKET,
            key=f"{self.key}object",
            multipart_threshold=self.threshold,
            **self.arguments(),
        )

    def check(self, contents: Mapping[str, bytes], result: Any) -> None:
        demand(contents == {"object": (self.folder / "copied").read_bytes()}, "the copy is equal to its source")
        demand(result["size"] == SIZE_BYTES, f"the result tells the size: {result}")

    def goes_unnoticed(self, fault: str, operation: str) -> bool:
        return (fault, operation) == ("flip-answer", "GetObjectTagging")

    def finish(self, world: World) -> None:
        world.finish({f"{self.key}object": (self.folder / "copied").read_bytes()})


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyInParts(CopyAsOne):
    """A large object, with tags, in parts."""

    name: ClassVar[str] = "copy-parts"
    calls: ClassVar[tuple[str, ...]] = (
        "HeadObject",
        "GetObjectTagging",
        "InitiateMultipartUpload",
        "ListParts",
        "UploadPartCopy",
        "CompleteMultipartUpload",
    )
    continues: ClassVar[bool] = True
    threshold: ClassVar[int] = 0
