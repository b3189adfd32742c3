"""What crosses the border between the process that measures and the process that is measured."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Job:
    """One upload by one client."""

    client: str
    endpoint: str
    bucket: str
    key: str
    file_path: str
    part_size_bytes: int
    parallel: int
    work_folder: str
    """For what a client writes beside: resume records, Airflow's home."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Time that passed and time on processors, in seconds."""

    wall_seconds: float
    user_seconds: float
    system_seconds: float

    @property
    def cpu_seconds(self) -> float:
        """User and system."""
        return self.user_seconds + self.system_seconds

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.wall_seconds + other.wall_seconds,
            self.user_seconds + other.user_seconds,
            self.system_seconds + other.system_seconds,
        )

    def __sub__(self, other: Usage) -> Usage:
        return Usage(
            self.wall_seconds - other.wall_seconds,
            self.user_seconds - other.user_seconds,
            self.system_seconds - other.system_seconds,
        )


@dataclass(frozen=True, slots=True)
class Account:
    """What a measured process says of itself."""

    framework: Usage
    """Importing what is loaded in any case where the client is used: Airflow, for a task."""
    library: Usage
    """Importing the client library."""
    upload: Usage
    """The upload and all it takes: making the client, connecting, sending, completing."""
    imported_bytes: int
    """Resident memory before the upload."""
    peak_bytes: int
    """Largest resident memory of the process."""


def to_json(value: Job | Account) -> str:
    """Return the value as text."""
    return json.dumps(asdict(value))


def job_from_json(text: str) -> Job:
    """Undo ``to_json``."""
    return Job(**json.loads(text))


def account_from_json(text: str) -> Account:
    """Undo ``to_json``."""
    values: dict[str, Any] = json.loads(text)
    for name in ("framework", "library", "upload"):
        values[name] = Usage(**values[name])
    return Account(**values)
