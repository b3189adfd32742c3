"""What crosses the border between the process that measures and the process that is measured."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Job:
    """One upload by one client."""

    endpoint: str
    bucket: str
    key: str
    file_path: str
    part_size_bytes: int | None
    """None: the client's own default."""
    parallel: int | None
    """Parts at the same time; None: the client's own default."""
    authority: str | None
    """Of an https endpoint: the certificate to trust, a PEM file."""
    work_folder: str
    """For what a client writes beside: resume records, Airflow's home."""
    modules: tuple[str, ...]
    """Of a client in Python: what an earlier upload imported late, to be imported before this one begins."""


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


NOTHING = Usage(0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Account:
    """What a measured process says of itself."""

    framework: Usage
    """Importing what is loaded in any case where the client is used: Airflow, for a task."""
    library: Usage
    """Importing the client library, and all that the upload imports."""
    upload: Usage
    """The upload and all it takes: making the client, connecting, sending, completing."""
    imported_bytes: int
    """Resident memory before the upload; 0 when the process cannot tell."""
    peak_bytes: int
    """Largest resident memory of the process; 0 when the process cannot tell."""
    late_modules: tuple[str, ...] = ()
    """What the upload imported nevertheless."""


def to_json(value: Job | Account) -> str:
    """Return the value as text."""
    return json.dumps(asdict(value))


def job_from_json(text: str) -> Job:
    """Undo ``to_json``."""
    values: dict[str, Any] = json.loads(text)
    return Job(**values | {"modules": tuple(values["modules"])})


def account_from_json(text: str) -> Account:
    """Undo ``to_json``."""
    values: dict[str, Any] = json.loads(text)
    for name in ("framework", "library", "upload"):
        values[name] = Usage(**values[name])
    return Account(**values | {"late_modules": tuple(values.get("late_modules", ()))})
