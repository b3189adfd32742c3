"""How a file is cut, and when its upload is killed: such that every file that has a middle is killed in it."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_oss.engine.plan import automatic_part_size_bytes
from airflow_provider_oss.limits import MIB, MIN_PART_SIZE_BYTES

PARALLEL = 4
"""Parts in flight, as the example DAG has it."""

_WANTED_PARTS = 50
_THROTTLED_SECONDS = 24.0
_LONGEST_PART_SECONDS = 2.0
_LEAST_BYTES_PER_SECOND = 10 * MIB


@dataclass(frozen=True, slots=True)
class DemoPlan:
    """A file of ``size_bytes`` in parts of ``part_size_bytes``."""

    size_bytes: int
    part_size_bytes: int

    @property
    def parts(self) -> int:
        """How many parts there are."""
        return -(-self.size_bytes // self.part_size_bytes)

    @property
    def part_sizes(self) -> dict[int, int]:
        """Return the size in bytes of each part by its number."""
        size = self.part_size_bytes
        return {number: min(size, self.size_bytes - (number - 1) * size) for number in range(1, self.parts + 1)}

    @property
    def is_single_put(self) -> bool:
        """Whether the file goes out in one request, in which there is nothing to resume."""
        return self.parts <= 1

    @property
    def kill_at(self) -> tuple[int, ...]:
        """How many parts OSS holds when the first attempt is killed, and when the second one is."""
        if self.is_single_put:
            return ()
        first = max(1, self.parts // 3)
        return first, max(first, 2 * self.parts // 3)

    @property
    def bytes_per_second(self) -> float:
        """Rate of one connection at which the whole upload would take 24 s, and one part at most 2 s."""
        part_seconds = min(_LONGEST_PART_SECONDS, _THROTTLED_SECONDS * PARALLEL / self.parts)
        return self.part_size_bytes / part_seconds

    @property
    def patience_seconds(self) -> float:
        """Longest wait for any step, on a slow machine."""
        return 120.0 + self.size_bytes / _LEAST_BYTES_PER_SECOND


def plan_for(size_bytes: int) -> DemoPlan:
    """Return a plan of about 50 parts, as far as OSS's smallest part and the operator's default part size allow."""
    wanted = -(-size_bytes // _WANTED_PARTS)
    if wanted > MIB:
        wanted = -(-wanted // MIB) * MIB
    return DemoPlan(size_bytes, min(max(wanted, MIN_PART_SIZE_BYTES), automatic_part_size_bytes(size_bytes)))
