"""Trees of files for tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def write_tree(directory: Path, files: Mapping[str, bytes]) -> Path:
    """Write files of these relative paths and contents, and return the directory."""
    directory.mkdir(parents=True, exist_ok=True)
    for relative, content in files.items():
        path = directory / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return directory


def read_tree(directory: Path) -> dict[str, bytes]:
    """Return the contents of all files below a directory, by their relative paths; none if it is not there."""
    files = (path for path in directory.rglob("*") if path.is_file())
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in files}
