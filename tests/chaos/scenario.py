"""What a campaign is made of: scenarios, each with a name that replays it, a scene to play in, and figures."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, Self

from tests.chaos.edges import StateFile, named_upload
from tests.chaos.tasks import Job
from tests.chaos.world import PART_BYTES, World, bytes_sent_again, demand

SIZE_BYTES: Final = 3 * PART_BYTES + 5_000
"""Four parts: the least with a first, a middle, a last and a shorter one."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What a scenario did, for the summary."""

    faults: int = 0
    kills: int = 0
    bytes_sent_again: int = 0
    orphans: int = 0

    def __add__(self, other: Measured) -> Measured:
        return Measured(*(getattr(self, item.name) + getattr(other, item.name) for item in fields(self)))


@dataclass(frozen=True, slots=True)
class Scenario:
    """``play`` raises BrokenPromiseError. ``name`` is ``group:detail``, and what ONLY= takes."""

    name: str
    play: Callable[[Scene], Measured]

    @property
    def group(self) -> str:
        """What the summary counts it under."""
        return self.name.partition(":")[0]


@dataclass(frozen=True, slots=True)
class Scene:
    """One playing of one scenario: its folder, its own random numbers, a server that others use too."""

    name: str
    folder: Path
    shared: World
    random: random.Random

    @contextmanager
    def own_world(self) -> Iterator[World]:
        """Serve from a server of one's own, which may be bent."""
        with World(self.folder / "oss") as world:
            world.connect()
            yield world

    def common_world(self) -> World:
        """Return the shared server, with nothing wrong and nothing counted."""
        self.shared.forget()
        self.shared.connect()
        return self.shared

    def job(self, size_bytes: int = SIZE_BYTES, **changes: Any) -> Job:
        """Return a job with a source of random bytes under a key of its own."""
        path = self.folder / "source"
        path.write_bytes(self.random.randbytes(size_bytes))
        state = StateFile(self.folder / "state.json")
        return Job(**{"key": f"{_as_path(self.name)}.bin", "path": path, "state": state} | changes)


@dataclass(slots=True)
class Stage:
    """Plays scenarios one after the other, each from the same seed whatever the order."""

    seed: int
    folder: Path
    _shared: World | None = None
    _played: int = 0

    def __enter__(self) -> Self:
        self._shared = World(self.folder / "oss")
        self._shared.open()
        return self

    def __exit__(self, *_: object) -> None:
        if self._shared is not None:
            self._shared.close()

    def play(self, scenario: Scenario) -> Measured:
        """Play it and return its figures. Raises BrokenPromiseError."""
        assert self._shared is not None
        self._played += 1
        folder = self.folder / str(self._played)
        folder.mkdir()
        name = f"{self._played}/{scenario.name}"
        return scenario.play(Scene(name, folder, self._shared, random.Random(f"{self.seed}/{scenario.name}")))


def check_clean_end(world: World, job: Job, content: bytes | None = None) -> Measured:
    """Demand what every finished upload promises: equal, nothing left anywhere, nothing sent again."""
    left = world.leftovers(job.key)
    demand(left.content == (job.path.read_bytes() if content is None else content), "the object is equal to the source")
    demand(not left.uploads, f"no upload is left: {sorted(left.uploads)}")
    demand(named_upload(job.state.content) is None, f"no checkpoint is left: {job.state.content}")
    again = bytes_sent_again(world.records, job.key)
    demand(not again, f"{again} bytes were sent again although OSS had acknowledged them")
    return Measured(bytes_sent_again=again, orphans=len(left.uploads))


def check_nothing_is_forgotten(world: World, job: Job) -> None:
    """Demand that every upload is named by the checkpoint, or looked for by its intent to begin one."""
    named = named_upload(job.state.content)
    uploads = world.leftovers(job.key).uploads
    demand(named == "" or uploads <= {named}, f"the checkpoint names what is left: {sorted(uploads)}, not {named}")


def _as_path(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9/]+", "-", name)
