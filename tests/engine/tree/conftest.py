"""A tree of files and the objects below a prefix."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss.engine.tree.result import TreeResult
from airflow_provider_oss.engine.tree.shards import MOST_AT_ONCE
from airflow_provider_oss.engine.tree.upload import TreeUpload
from airflow_provider_oss.engine.tree.walk import TreeRules, TreeSource
from airflow_provider_oss.globs import Selection
from airflow_provider_oss.model import ListedObject, ObjectOptions, ObjectPrefix, ObjectRef, Page
from airflow_provider_oss.ports import TreeClient
from airflow_provider_oss.proof import crc64
from tests.engine.conftest import Scene
from tests.engine.doubles import changed
from tests.support.stores import MemoryStore
from tests.support.trees import write_tree

PREFIX = "base/tree/"


@dataclass
class TreeScene:
    """What a test needs, with the questions that it asks afterwards."""

    scene: Scene
    directory: Path
    stores: list[MemoryStore] = field(default_factory=lambda: [MemoryStore(), MemoryStore()])
    most_at_once: int = MOST_AT_ONCE
    """Files of a piece."""

    def write(self, files: dict[str, bytes]) -> None:
        """Write files into the tree."""
        write_tree(self.directory, files)

    def upload(self, rules: dict[str, Any] | None = None, **changes: Any) -> TreeUpload:
        """Return one attempt; ``include``, ``exclude`` and ``symlinks`` are the source's."""
        globs = {name: changes.pop(name) for name in ("include", "exclude") if name in changes}
        shard = changes.pop("shard", None)
        source = TreeSource(str(self.directory), Selection(**globs), changes.pop("symlinks", "follow"), shard)
        rules = dict(rules or {})
        usual = TreeUpload(
            source,
            ObjectPrefix(self.scene.bucket, PREFIX),
            self.scene.means,
            settings=self.scene.settings,
            stores=self.stores,
            skip_unchanged=rules.pop("skip_unchanged", True),
            rules=TreeRules(**rules),
            most_at_once=self.most_at_once,
        )
        return changed(usual, **changes)

    def run(self, rules: dict[str, Any] | None = None, **changes: Any) -> TreeResult:
        """Make one attempt, counting requests from its beginning."""
        self.scene.server.forget_requests()
        return self.upload(rules, **changes).run()

    def put(self, key: str, data: bytes = b"foreign") -> None:
        """Store an object, anywhere in the bucket."""
        self.scene.client.put_object(ObjectRef(self.scene.bucket, key), data, crc64(data), ObjectOptions())

    def keys(self) -> list[str]:
        """Return all keys of the bucket."""
        return [one.ref.key for one in self.scene.client.list_objects(self.scene.bucket, "", "", "").items]

    def objects(self) -> dict[str, bytes]:
        """Return what is stored below the prefix, by the name below it."""
        names = [key.removeprefix(PREFIX) for key in self.keys() if key.startswith(PREFIX)]
        return {name: self.scene.object(ObjectRef(self.scene.bucket, PREFIX + name)) for name in names}

    def files(self) -> dict[str, bytes]:
        """Return what is in the tree."""
        paths = [path for path in self.directory.rglob("*") if path.is_file()]
        return {str(path.relative_to(self.directory)): path.read_bytes() for path in paths}

    def operations(self) -> list[str]:
        """Return what was asked of OSS in the last attempt."""
        return self.scene.operations()

    def sent(self) -> list[str]:
        """Return the names that data were sent for in the last attempt, each once."""
        sending = [*self.scene.requests("PutObject"), *self.scene.requests("UploadPart")]
        return sorted({request.key.removeprefix(PREFIX) for request in sending})


class Meanwhile:
    """A client that does something between the reading of the tree and the listing of the objects."""

    def __init__(self, client: TreeClient, act: Callable[[], object]) -> None:
        self._client = client
        self._act = act

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def list_objects(
        self, bucket: str, prefix: str, delimiter: str, token: str, *, start_after: str = ""
    ) -> Page[ListedObject]:
        self._act()
        return self._client.list_objects(bucket, prefix, delimiter, token, start_after=start_after)


both_ways = pytest.mark.parametrize("tree", [MOST_AT_ONCE, 3], indirect=True, ids=["whole", "in pieces"])
"""For what must hold of a tree that is in memory at once, and of one that is worked at piece by piece."""


@pytest.fixture
def tree(scene: Scene, tmp_path: Path, request: pytest.FixtureRequest) -> TreeScene:
    """An empty tree."""
    directory = tmp_path / "tree"
    directory.mkdir()
    return TreeScene(scene, directory, most_at_once=getattr(request, "param", MOST_AT_ONCE))
