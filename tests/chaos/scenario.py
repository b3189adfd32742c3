"""What a campaign is made of: scenarios, each with a name that replays it, a scene to play in, and figures."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Self

from tests.chaos.client import disturbable
from tests.chaos.edges import StateFile, named_upload
from tests.chaos.tasks import Job
from tests.chaos.world import PART_BYTES, World, bytes_sent_again, demand
from tests.clients.support import Certificate, make_certificate

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
    stage: Stage
    random: random.Random

    @property
    def prefix(self) -> str:
        """The beginning of the keys of all that the scene stores."""
        return re.sub(r"[^A-Za-z0-9/]+", "-", self.name)

    @contextmanager
    def own_world(self, *, over_tls: bool = False) -> Iterator[World]:
        """Serve from a server of one's own, which may be bent."""
        with self.stage.world(self.folder / "oss", over_tls=over_tls) as world:
            world.connect()
            yield world

    def common_world(self, *, over_tls: bool = False) -> World:
        """Return the shared server, with nothing wrong and nothing counted."""
        world = self.stage.shared(over_tls=over_tls)
        world.forget()
        world.connect()
        return world

    def job(self, size_bytes: int = SIZE_BYTES, **changes: Any) -> Job:
        """Return a job with a source of random bytes under a key of its own."""
        path = self.folder / "source"
        path.write_bytes(self.random.randbytes(size_bytes))
        usual: dict[str, Any] = {"key": f"{self.prefix}.bin", "path": path}
        return Job(state=StateFile(self.folder / "state.json"), **usual | changes)


@dataclass
class Stage:
    """Plays scenarios one after the other, each from the same seed whatever the order."""

    seed: int
    folder: Path
    _open: ExitStack = field(default_factory=ExitStack)
    _shared: dict[bool, World] = field(default_factory=dict)
    _played: int = 0

    def __enter__(self) -> Self:
        self._open.enter_context(disturbable())
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def shared(self, *, over_tls: bool) -> World:
        """Return the server that scenarios share, over http or https."""
        if over_tls not in self._shared:
            world = self.world(self.folder / ("oss-tls" if over_tls else "oss"), over_tls=over_tls)
            self._shared[over_tls] = self._open.enter_context(world)
        return self._shared[over_tls]

    def world(self, root: Path, *, over_tls: bool) -> World:
        """Return a server, not open yet."""
        return World(root, self._certificate if over_tls else None)

    @cached_property
    def _certificate(self) -> Certificate:
        return make_certificate(self.folder)

    def play(self, scenario: Scenario) -> Measured:
        """Play it and return its figures. Raises BrokenPromiseError."""
        self._played += 1
        folder = self.folder / str(self._played)
        folder.mkdir()
        name = f"{self._played}/{scenario.name}"
        return scenario.play(Scene(name, folder, self, random.Random(f"{self.seed}/{scenario.name}")))


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
