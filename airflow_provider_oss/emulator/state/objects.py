"""The objects of a bucket, each with all its versions."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_oss.emulator.state.files import TEMPORARY, read_record, write_record
from airflow_provider_oss.emulator.state.records import ObjectRecord, object_from_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from airflow_provider_oss.emulator.state.blobs import Blobs


class Objects:
    """
    An index over two folders: ``objects`` has the latest version of each key, ``versions`` those that it hides.

    Each change has one file as its commit. What a kill leaves is a hidden version with the id of the latest one: it is
    the same version, or one that the latest replaced, and it is dropped when the folders are opened.
    """

    def __init__(self, bucket: Path, blobs: Blobs) -> None:
        self._latest = bucket / "objects"
        self._hidden = bucket / "versions"
        self._blobs = blobs
        self._current: dict[str, ObjectRecord] = {}
        self._histories: dict[str, list[ObjectRecord]] = {}
        self.keys: list[str] = []
        """The keys of all objects in the order of their UTF-8 bytes; not to be changed or kept by others."""
        self.keys_with_versions: list[str] = []
        """The keys of all objects and of all that has been deleted and has versions, likewise."""
        for folder in (self._latest, self._hidden):
            folder.mkdir(parents=True, exist_ok=True)

    def load(self) -> None:
        """Read the folders. Raises RuntimeError when a record in them is damaged."""
        latest = {record.key: record for record in _read_all(self._latest, self._latest_path)}
        hidden: dict[str, list[ObjectRecord]] = {}
        for record in _read_all(self._hidden, self._hidden_path):
            hidden.setdefault(record.key, []).append(record)
        for key in latest.keys() | hidden.keys():
            versions = sorted(hidden.get(key, ()), key=lambda version: version.sequence, reverse=True)
            self._histories[key] = self._repaired(latest.get(key), versions)
        self._current.update((key, found[0]) for key, found in self._histories.items() if not found[0].is_delete_marker)
        self.keys.extend(sorted(self._current))
        self.keys_with_versions.extend(sorted(self._histories))

    def current(self, key: str) -> ObjectRecord | None:
        """Return the object, None when there is none or it has been deleted."""
        return self._current.get(key)

    def versions(self, key: str) -> Sequence[ObjectRecord]:
        """Return all versions of a key, the latest first, delete markers too."""
        return self._histories.get(key, ())

    def put(self, record: ObjectRecord) -> ObjectRecord:
        """Commit a version as its key's latest, replacing one of the same id; return it with its place among them."""
        history = self._histories.get(record.key, [])
        latest = history[0] if history else None
        record = replace(record, sequence=latest.sequence + 1 if latest else 0)
        replaced = next((version for version in history if version.version_id == record.version_id), None)
        if latest is not None and latest is not replaced:
            write_record(self._hidden_path(latest), latest)
        write_record(self._latest_path(record), record)
        if replaced is not None:
            history.remove(replaced)
            if replaced is not latest:
                self._hidden_path(replaced).unlink()
        history.insert(0, record)
        self._histories[record.key] = history
        self._index(record.key)
        if replaced is not None:
            self._discard(replaced, record)
        return record

    def update(self, record: ObjectRecord) -> None:
        """Commit a change of a version that is there, in its place."""
        history = self._histories[record.key]
        index = next(index for index, version in enumerate(history) if version.version_id == record.version_id)
        write_record(self._hidden_path(record) if index else self._latest_path(record), record)
        replaced, history[index] = history[index], record
        self._index(record.key)
        self._discard(replaced, record)

    def remove(self, key: str, version_id: str) -> ObjectRecord | None:
        """Remove a version for good and return it, None when there is none; the next one is the latest then."""
        history = self._histories.get(key, [])
        removed = next((version for version in history if version.version_id == version_id), None)
        if removed is None:
            return None
        if removed is not history[0]:
            self._hidden_path(removed).unlink()
        elif len(history) == 1:
            self._latest_path(removed).unlink()
        else:
            write_record(self._latest_path(history[1]), history[1])
            self._hidden_path(history[1]).unlink()
        history.remove(removed)
        self._index(key)
        self._blobs.discard(removed.segments)
        return removed

    def __iter__(self) -> Iterator[ObjectRecord]:
        """Return all versions of all keys."""
        return (version for history in self._histories.values() for version in history)

    def _repaired(self, latest: ObjectRecord | None, hidden: list[ObjectRecord]) -> list[ObjectRecord]:
        """Return a key's history, and let the files say the same; without a latest version the next one is it."""
        if latest is None:
            latest = hidden[0]
            write_record(self._latest_path(latest), latest)
        for version in hidden:
            if version.version_id == latest.version_id:
                self._hidden_path(version).unlink()
        return [latest, *(version for version in hidden if version.version_id != latest.version_id)]

    def _index(self, key: str) -> None:
        """Let the index say what the key's history says."""
        history = self._histories[key]
        if not history:
            del self._histories[key]
        _set_present(self.keys_with_versions, key, present=bool(history))
        present = bool(history) and not history[0].is_delete_marker
        _set_present(self.keys, key, present=present)
        if present:
            self._current[key] = history[0]
        else:
            self._current.pop(key, None)

    def _discard(self, replaced: ObjectRecord, record: ObjectRecord) -> None:
        if replaced.segments != record.segments:
            kept = {segment.blob for segment in record.segments}
            self._blobs.discard(segment for segment in replaced.segments if segment.blob not in kept)

    def _latest_path(self, record: ObjectRecord) -> Path:
        return self._latest / f"{_digest(record.key)}.json"

    def _hidden_path(self, record: ObjectRecord) -> Path:
        return self._hidden / f"{_digest(record.key)}.{record.version_id or 'null'}.json"


def _digest(key: str) -> str:
    """Return the name of a key's file: keys reach 1023 bytes and may hold any character, ``../`` among them."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def _read_all(folder: Path, home: Callable[[ObjectRecord], Path]) -> Iterator[ObjectRecord]:
    for path in list(folder.iterdir()):
        if path.name.endswith(TEMPORARY):
            path.unlink()
        else:
            yield read_record(path, object_from_json, home)


def _set_present(names: list[str], name: str, *, present: bool) -> None:
    """Let a sorted list have the name, or not."""
    index = bisect_left(names, name)
    is_there = index < len(names) and names[index] == name
    if present and not is_there:
        names.insert(index, name)
    elif is_there and not present:
        del names[index]
