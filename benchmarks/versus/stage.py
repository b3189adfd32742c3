"""Where a row is measured: one of the two checkouts, a sink, and what is sent to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any, Final

import benchmarks
from benchmarks.rounds import BenchmarkError, Sink
from benchmarks.sample import Sample, write_sample
from benchmarks.summary import MIB
from benchmarks.ways.files import CHECKED, write_files
from benchmarks.ways.processes import Task, measure

GIB: Final = 1024 * MIB
PACKAGE: Final = "airflow_provider_oss"
CPU: Final = "CPU s"
WALL: Final = "wall s"
MEMORY: Final = "+MiB"
BUSY: Final = "sink busy"

_LEAST_BYTES: Final = 32 * MIB
_SMALL_FILES: Final = 10_000

Figures = dict[str, float]
"""What a run took, by measure: those above, or a row's own."""


def make_tree(folder: Path, checkout: Path) -> Path:
    """Make a folder with the checkout's package beside the benchmarks of this one: both are measured by the same."""
    package = checkout / PACKAGE
    if not (package / "__init__.py").is_file():
        raise BenchmarkError(f"there is no {PACKAGE} in {checkout}: name another checkout of this project")
    folder.mkdir()
    (folder / PACKAGE).symlink_to(package.resolve())
    (folder / benchmarks.__name__).symlink_to(Path(benchmarks.__file__).resolve().parent)
    return folder


@dataclass
class Samples:
    """What is sent, made when it is first needed."""

    folder: Path
    scale: float

    def bytes_of(self, size_bytes: int) -> int:
        """Return a size, scaled; it is several parts in any case."""
        return max(_LEAST_BYTES, round(size_bytes * self.scale))

    @cached_property
    def gibibyte(self) -> Sample:
        """A GiB of random bytes in the page cache."""
        return write_sample(self.folder / "gibibyte.bin", self.bytes_of(GIB))

    @cached_property
    def quarter(self) -> Sample:
        """As much as a busy process is to send."""
        return write_sample(self.folder / "quarter.bin", self.bytes_of(GIB // 4))

    @cached_property
    def small(self) -> list[Sample]:
        """Small files in one folder."""
        return write_files(self.folder / "small", max(CHECKED, round(_SMALL_FILES * self.scale)))


@dataclass(frozen=True)
class Stage:
    """One checkout and a sink."""

    tree: Path
    sink: Sink
    samples: Samples
    folder: Path
    _numbers: count[int] = field(default_factory=count)

    def name(self) -> str:
        """Return a name that no object of this sink and checkout has yet."""
        return f"{self.tree.name}-{next(self._numbers)}"

    def do(self, work: str, **arguments: Any) -> Figures:
        """Do a work of ``works`` in a process of its own and return what it took, and found."""
        authority = None if self.sink.authority is None else str(self.sink.authority)
        common = {"endpoint": self.sink.endpoint, "authority": authority}
        before = self.sink.usage()
        measured = measure(Task(f"benchmarks.versus.works:{work}", common | arguments), self.folder, self.tree)
        sink_cpu_seconds = (self.sink.usage() - before).cpu_seconds
        return {
            CPU: measured.usage.cpu_seconds,
            WALL: measured.usage.wall_seconds,
            MEMORY: measured.peak_bytes / MIB,
            BUSY: sink_cpu_seconds / measured.usage.wall_seconds,
            **measured.found,
        }

    def send(self, sample: Sample, work: str, **arguments: Any) -> Figures:
        """Do a work that stores the sample under a new key. Raises BenchmarkError when something else arrived."""
        key = self.name()
        figures = self.do(work, key=key, **arguments)
        self.sink.check(key, sample)
        return figures
