"""Versions in the store: which one counts, what is discarded, and what is there after a kill at the worst moment."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_provider_oss.emulator.state.records import BucketRecord, ObjectRecord
from airflow_provider_oss.emulator.state.store import Store


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with a store that has the bucket `exports`, with versioning."""
    with Store(tmp_path) as store:
        store.put_bucket(BucketRecord("exports", 1.0, versioning="Enabled"))
    return tmp_path


def write(store: Store, data: bytes) -> ObjectRecord:
    """Put the object `a`."""
    writer = store.blobs.create()
    writer.write([data])
    body = writer.finish()
    record = ObjectRecord("exports", "a", len(data), body.etag, body.crc64, "Normal", 2.0, (body.segment,))
    return store.put_object(record)


def mark(store: Store) -> ObjectRecord:
    """Put a delete marker on `a`."""
    return store.put_object(ObjectRecord("exports", "a", 0, "", 0, "", 2.0, (), is_delete_marker=True))


def set_versioning(store: Store, state: str) -> None:
    """Change the state of the bucket."""
    record = store.bucket("exports")
    assert record is not None
    store.put_bucket(replace(record, versioning=state))


def blobs(root: Path) -> set[str]:
    """All blobs on disk."""
    return {path.name for path in root.glob("blobs/??/*")}


def blobs_of(*records: ObjectRecord) -> set[str]:
    """The blobs of records."""
    return {segment.blob for record in records for segment in record.segments}


def hidden_files(root: Path) -> set[str]:
    """The files of versions that others hide."""
    return {path.name for path in root.glob("buckets/exports/versions/*")}


def test_versions_are_there_again(root: Path) -> None:
    """All versions and markers are in the same order after the store was opened again, the latest first."""
    with Store(root) as store:
        written = [write(store, b"1"), write(store, b"2"), mark(store), write(store, b"4")]
        assert list(store.versions("exports", "a")) == written[::-1]
    with Store(root) as store:
        assert list(store.versions("exports", "a")) == written[::-1]
        assert store.object("exports", "a") == written[-1]
    assert blobs(root) == blobs_of(*written)


def test_a_marker_hides_its_object(root: Path) -> None:
    """A key whose latest version is a marker has versions and no object; without the marker it has its object again."""
    with Store(root) as store:
        first = write(store, b"1")
        marker = mark(store)
    with Store(root) as store:
        assert (store.object("exports", "a"), list(store.keys("exports"))) == (None, [])
        assert list(store.keys_with_versions("exports")) == ["a"]
        assert not store.bucket_is_empty("exports")
        assert store.remove_version("exports", "a", marker.version_id) == marker
        assert store.object("exports", "a") == first
    with Store(root) as store:
        assert list(store.versions("exports", "a")) == [first]


def test_a_version_that_is_removed(root: Path) -> None:
    """A version that is removed takes its bytes with it; of the latest the one below becomes the latest."""
    with Store(root) as store:
        first, second, third = (write(store, data) for data in (b"1", b"2", b"3"))
        store.remove_version("exports", "a", second.version_id)
        assert blobs(root) == blobs_of(first, third)
        store.remove_version("exports", "a", third.version_id)
        assert store.object("exports", "a") == first
        store.remove_version("exports", "a", first.version_id)
        assert store.bucket_is_empty("exports")
    assert (blobs(root), hidden_files(root)) == (set(), set())


def test_the_version_without_an_id(root: Path) -> None:
    """While versioning is suspended one version without an id is replaced, wherever it is among the others."""
    with Store(root) as store:
        set_versioning(store, "Suspended")
        null = write(store, b"null")
        set_versioning(store, "Enabled")
        other = write(store, b"other")
        assert [version.version_id for version in store.versions("exports", "a")] == [other.version_id, ""]
        set_versioning(store, "Suspended")
        again = write(store, b"again")
        assert list(store.versions("exports", "a")) == [again, other]
        assert blobs(root) == blobs_of(again, other)
        assert not blobs_of(null) & blobs(root)
    with Store(root) as store:
        assert list(store.versions("exports", "a")) == [again, other]


def test_a_change_in_place(root: Path) -> None:
    """A version that is changed stays where it is, hidden or not."""
    with Store(root) as store:
        first, second = write(store, b"1"), write(store, b"2")
        changed = [replace(version, md5_base64="changed") for version in (second, first)]
        for version in changed:
            store.update_object(version)
    with Store(root) as store:
        assert list(store.versions("exports", "a")) == changed


def test_killed_while_a_version_is_hidden(root: Path) -> None:
    """A version that was written as hidden, and not yet replaced as the latest, is there once."""
    with Store(root) as store:
        first = write(store, b"1")
    latest = next(root.glob("buckets/exports/objects/*"))
    before = latest.read_bytes()
    with Store(root) as store:
        write(store, b"2")
    latest.write_bytes(before)
    with Store(root) as store:
        assert list(store.versions("exports", "a")) == [first]
    assert (hidden_files(root), blobs(root)) == (set(), blobs_of(first))


def test_killed_while_a_version_is_replaced(root: Path) -> None:
    """A version without an id that the latest one has replaced, and is still among the hidden, is gone."""
    with Store(root) as store:
        set_versioning(store, "Suspended")
        write(store, b"null")
        set_versioning(store, "Enabled")
        other = write(store, b"other")
    kept = root.parent / "kept"
    shutil.copytree(root / "buckets" / "exports" / "versions", kept)
    with Store(root) as store:
        set_versioning(store, "Suspended")
        again = write(store, b"again")
    shutil.copytree(kept, root / "buckets" / "exports" / "versions", dirs_exist_ok=True)
    with Store(root) as store:
        assert list(store.versions("exports", "a")) == [again, other]
    assert len(hidden_files(root)) == 1


def test_a_latest_version_that_was_taken_out(root: Path) -> None:
    """When somebody removed the record of the latest version, the one below is the latest."""
    with Store(root) as store:
        first, second = write(store, b"1"), write(store, b"2")
        write(store, b"3")
    next(root.glob("buckets/exports/objects/*")).unlink()
    for _ in range(2):
        with Store(root) as store:
            assert list(store.versions("exports", "a")) == [second, first]


def test_a_damaged_version_is_named(root: Path) -> None:
    """A store with a damaged record among the hidden versions does not open, and removes nothing."""
    with Store(root) as store:
        write(store, b"1"), write(store, b"2")
    [path], before = root.glob("buckets/exports/versions/*"), blobs(root)
    path.write_bytes(b"{}")
    with pytest.raises(RuntimeError, match=re.escape(f"the record {path} is damaged")):
        Store(root)
    assert blobs(root) == before


def test_a_folder_of_an_earlier_version(tmp_path: Path) -> None:
    """A store without versions, and records without a word of them, open as they are; the objects have no version."""
    with Store(tmp_path) as store:
        store.put_bucket(BucketRecord("exports", 1.0))
        record = write(store, b"old")
    (tmp_path / "buckets" / "exports" / "versions").rmdir()
    for path in tmp_path.glob("buckets/exports/**/*.json"):
        data = json.loads(path.read_text("utf-8"))
        new = {
            *("blocks_public_access", "versioning", "tags", "policy", "abort_rules"),
            *("version_id", "sequence", "is_delete_marker", "symlink_target"),
        }
        path.write_text(json.dumps({name: value for name, value in data.items() if name not in new}), "utf-8")
    with Store(tmp_path) as store:
        assert list(store.versions("exports", "a")) == [record]
        found = store.bucket("exports")
        assert found is not None
        assert (found.versioning, found.blocks_public_access) == ("", False)
