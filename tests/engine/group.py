"""Many workers at one object: the tasks of a group, one call for each, every one with a store of its own."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_oss.engine.completion import Completion
from airflow_provider_oss.engine.planned import Cut, PlannedUpload, RangeResult, UploadPlanning
from airflow_provider_oss.engine.ranges import RangeUpload
from airflow_provider_oss.engine.source import FileSource
from airflow_provider_oss.engine.upload import UploadSettings
from airflow_provider_oss.model import ObjectOptions, UploadResult
from airflow_provider_oss.ports import ObjectClient, Source
from airflow_provider_oss.proof import crc64
from tests.engine.conftest import PART, Scene
from tests.engine.doubles import changed
from tests.support.stores import MemoryStore


@dataclass
class Group:
    """What the tasks of a group have told one another, and the calls that they make."""

    scene: Scene
    ranges: int = 3
    options: ObjectOptions = field(default_factory=ObjectOptions)
    stores: defaultdict[str, MemoryStore] = field(default_factory=lambda: defaultdict(MemoryStore))
    results: dict[str, RangeResult] = field(default_factory=dict)
    upload: PlannedUpload = field(init=False)
    parts: list[str] = field(init=False)

    @property
    def source(self) -> Source:
        """The scene's file."""
        return FileSource(str(self.scene.path))

    def plan(self, **changes: Any) -> PlannedUpload:
        """Plan; what the others learn has been plain data in between."""
        usual = UploadPlanning(
            self.source,
            self.scene.ref,
            self.scene.means,
            self.scene.store,
            self.options,
            part_size_bytes=PART,
            cut=Cut(self.ranges),
        )
        planned, ranges = changed(usual, **changes).run()
        self.parts = [str(one) for one in ranges]
        self.upload = PlannedUpload.parse("upload", json.loads(json.dumps(planned.as_dict())))
        assert self.upload == planned
        return self.upload

    def send(self, parts: str, **changes: Any) -> RangeResult:
        """Send one range."""
        usual = RangeUpload(
            self.source,
            self.upload,
            self.upload.range(parts),
            self.scene.means,
            self.stores[parts],
            settings=UploadSettings(parallel=2),
        )
        sent = changed(usual, **changes).run()
        self.results[parts] = RangeResult.parse("results", json.loads(json.dumps(sent.as_dict())))
        return sent

    def send_all(self) -> None:
        """Send all ranges, the last one first."""
        for parts in reversed(self.parts):
            self.send(parts)

    def complete(self, **changes: Any) -> UploadResult:
        """Complete."""
        usual = Completion(self.upload, list(self.results.values()), self.scene.means, self.options)
        return changed(usual, **changes).run()

    def run(self) -> UploadResult:
        """Do all of it."""
        self.plan()
        self.send_all()
        return self.complete()

    def assert_stored(self, data: bytes, result: UploadResult) -> None:
        """The object is right, no upload is left, and no record of a range."""
        assert self.scene.object() == data
        assert (result.size, result.crc64) == (len(data), str(crc64(data)))
        assert self.scene.uploads() == []
        assert [store for store in self.stores.values() if store.data is not None] == []


def put_part(group: Group, number: int, data: bytes, client: ObjectClient | None = None) -> None:
    """Store a part as a stale attempt would."""
    (client or group.scene.client).upload_part(
        group.scene.ref, group.upload.upload_id, number, data, crc64(data), ObjectOptions()
    )
