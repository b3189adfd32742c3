"""Downloads in ranges, to a file that is there already: the old one or the object, and what has arrived is kept."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from airflow_provider_oss.operators.download import OSSDownloadObjectOperator
from tests.chaos.scenario import SIZE_BYTES
from tests.chaos.transfers import Transfer
from tests.chaos.world import PART_BYTES, World, demand


@dataclass(frozen=True, slots=True, kw_only=True)
class Download(Transfer):
    """An object of several ranges."""

    name: ClassVar[str] = "download"
    calls: ClassVar[tuple[str, ...]] = ("HeadObject", "GetObject")

    def make_source(self, world: World, random: random.Random) -> None:
        world.bucket().put_object(f"{self.key}object", random.randbytes(SIZE_BYTES))

    def make_old(self, world: World) -> None:
        del world
        self._target.parent.mkdir()
        self._target.write_bytes(b"old")

    def operator(self) -> Any:
        return OSSDownloadObjectOperator(key=f"{self.key}object", file_path=str(self._target), **self.arguments())

    def contents(self, world: World) -> dict[str, bytes]:
        """Return the files, and the object."""
        files = {path.name: path.read_bytes() for path in self._target.parent.iterdir()}
        return files | super(Download, self).contents(world)

    def half_done(self, world: World) -> dict[str, bytes]:
        return {name: content for name, content in self.contents(world).items() if ".oss-part" not in name}

    def check(self, contents: Mapping[str, bytes], result: Any) -> None:
        demand(contents.keys() == {"file", "object"}, f"one file is there, but: {list(contents)}")
        demand(contents["file"] == contents["object"], "the file is equal to the object")
        demand(result["size"] == SIZE_BYTES, f"the result tells the size: {result}")

    def kept(self) -> frozenset[str]:
        """Return the ranges that the record beside the file notes."""
        record = self._target.with_name(f".{self._target.name}.oss-part.jsonl")
        lines = record.read_text().splitlines() if record.exists() else []
        numbers = [one["part"] for line in lines if "part" in (one := json.loads(line or "{}"))]
        return frozenset(f"bytes={(number - 1) * PART_BYTES}-{number * PART_BYTES - 1}" for number in numbers)

    def may_fail(self, fault: str, operation: str) -> bool:
        """Only the whole has a checksum."""
        return (fault, operation) == ("flip-answer", "GetObject")

    @property
    def _target(self) -> Path:
        return self.folder / "target" / "file"
