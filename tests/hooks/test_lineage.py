"""What the hook's methods tell Airflow's real hook lineage collector."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from airflow_provider_oss.emulator import Fault, OSSEmulator
from airflow_provider_oss.exceptions import OSSAccessDenied, OSSNoSuchKey, OSSPermanentError
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.limits import KIB
from airflow_provider_oss.lineage import is_wanted
from tests.hooks.support import DATA, read
from tests.support.lineage import collected, collector, collector_was_made, in_a_task

KEY = "daily/a b#1.csv"
URI = "oss://exports/daily/a%20b%231.csv"


@pytest.fixture
def hook(hook: OSSHook) -> Iterator[OSSHook]:
    """A hook in a task whose lineage is read, and the object ``there``, of whose upload nobody knows."""
    hook.put_object("there", DATA)
    with in_a_task(with_reader=True):
        yield hook


def by_parts(hook: OSSHook, _: Path) -> None:
    upload_id = hook.initiate_multipart_upload(KEY)
    part = hook.upload_part(KEY, upload_id, 1, DATA)
    hook.list_parts(KEY, upload_id)
    hook.complete_multipart_upload(KEY, upload_id, [part])


@pytest.mark.parametrize(
    ("upload", "reads_file"),
    [
        (lambda hook, _: hook.put_object(KEY, b"data"), False),
        (lambda hook, file: hook.put_file(KEY, file), True),
        (lambda hook, _: hook.put_stream(KEY, io.BytesIO(b"data")), False),
        (lambda hook, file: hook.upload_file(KEY, file), True),
        (lambda hook, file: hook.upload_file(KEY, file, part_size=100 * KIB), True),
        (lambda hook, _: hook.upload_stream(KEY, io.BytesIO(DATA)), False),
        (lambda hook, file: list(hook.upload_files([(KEY, file)])), True),
        (by_parts, False),
    ],
)
def test_uploads(hook: OSSHook, file: Path, upload: Callable[[OSSHook, Path], object], *, reads_file: bool) -> None:
    """Every way to store an object tells of it once, and of the file that it was read from."""
    upload(hook, file)
    assert collected() == ([file.as_uri()] if reads_file else [], [URI])
    [output] = collector().collected_assets.outputs
    assert output.context is hook


def test_reading(hook: OSSHook, tmp_path: Path) -> None:
    """Opening an object, whole or in part, and downloading it tell of it, and of the file that it was written to."""
    read(hook, "there")
    hook.get_object("oss://exports/there", byte_range=(0, 3)).close()
    assert collected() == (["oss://exports/there x 2"], [])
    hook.download_file("there", tmp_path / "copy #1.bin")
    assert collected() == (["oss://exports/there x 3"], [f"{tmp_path.as_uri()}/copy%20%231.bin"])


def test_copying(hook: OSSHook) -> None:
    """A copy tells of both objects, in whichever bucket they are."""
    hook.copy_object("there", KEY, bucket_name="other")
    assert collected() == (["oss://exports/there"], [URI.replace("exports", "other")])


def test_what_is_no_lineage(hook: OSSHook) -> None:
    """Looking at an object, listing, signing and deleting tell of nothing."""
    hook.head_object("there")
    assert hook.object_exists("there")
    assert [each.ref.key for each in hook.list_objects()] == ["there"]
    hook.sign_url("GET", "there", 60)
    hook.delete_object("there")
    hook.delete_objects(["there"])
    upload_id = hook.initiate_multipart_upload("there")
    assert [each.upload_id for each in hook.list_multipart_uploads()] == [upload_id]
    hook.abort_multipart_upload("there", upload_id)
    assert not collector().has_collected


def test_what_failed_is_no_lineage(hook: OSSHook, server: OSSEmulator, file: Path, tmp_path: Path) -> None:
    """An upload that is refused, a read of what is not there: nothing is told of them."""
    with pytest.raises(OSSNoSuchKey):
        hook.get_object("missing")
    with pytest.raises(OSSNoSuchKey):
        hook.download_file("missing", tmp_path / "copy")
    with pytest.raises(OSSNoSuchKey):
        hook.copy_object("missing", "copy")
    server.faults.add(Fault(operation="PutObject", status=403, code="AccessDenied"))
    with pytest.raises(OSSAccessDenied):
        hook.put_file(KEY, file)
    [outcome] = hook.upload_files([(KEY, tmp_path / "missing")])
    assert outcome.error is not None
    assert not collector().has_collected


def test_a_repetition_is_told_once(hook: OSSHook, server: OSSEmulator, file: Path) -> None:
    """Parts and requests that had to be sent again make no second asset, nor a count of two."""
    server.faults.add(Fault(operation="UploadPart", status=503, code="ServiceUnavailable", times=2))
    hook.upload_file(KEY, file, part_size=100 * KIB)
    assert collected() == ([file.as_uri()], [URI])


def test_many_files(hook: OSSHook, tmp_path: Path) -> None:
    """Of many files the first hundred are told, which is what Airflow takes; each outcome arrives all the same."""
    (tmp_path / "many").mkdir()
    paths = [tmp_path / "many" / f"{number:03}" for number in range(103)]
    for path in paths:
        path.touch()
    outcomes = list(hook.upload_files((f"many/{path.name}", path) for path in paths))
    assert [outcome.error for outcome in outcomes] == [None] * 103
    inputs, outputs = collected()
    assert len(inputs) == len(outputs) == 100
    assert set(outputs) <= {f"oss://exports/many/{path.name}" for path in paths}


def test_many_files_that_are_given_up(hook: OSSHook, file: Path) -> None:
    """Who stops after some outcomes has told of these."""
    outcomes = hook.upload_files([(KEY, file), *((f"many/{number}", file) for number in range(20))], parallel=1)
    next(outcomes)
    outcomes.close()  # type: ignore[attr-defined]  # it is a generator
    assert collected() == ([file.as_uri()], [URI])


def test_a_directory(hook: OSSHook, tmp_path: Path) -> None:
    """A directory is one asset and so is the prefix, whatever files are sent or are there already."""
    directory = tmp_path / "export"
    directory.mkdir()
    (directory / "a").write_bytes(b"a")
    hook.upload_directory("daily", directory)
    hook.upload_directory("daily", directory)
    assert collected() == ([f"{directory.as_uri()} x 2"], ["oss://exports/daily x 2"])


def test_a_batch(hook: OSSHook, server: OSSEmulator, tmp_path: Path) -> None:
    """Files and prefix are told of; where one file failed, the prefix alone; where all did, nothing."""
    paths = [tmp_path / name for name in ("a", "b")]
    for path in paths:
        path.write_bytes(b"data")
    server.faults.add(Fault(operation="PutObject", status=403, code="AccessDenied"))
    hook.upload_batch("daily", paths)
    assert not collector().has_collected
    server.faults.clear()
    hook.upload_batch("daily", [*paths, tmp_path / "missing"])
    assert collected() == ([], ["oss://exports/daily"])
    hook.upload_batch("daily", paths)
    assert collected() == ([path.as_uri() for path in paths], ["oss://exports/daily x 2"])


def test_a_directory_of_which_nothing_is_stored(hook: OSSHook, server: OSSEmulator, tmp_path: Path) -> None:
    """An empty directory, a dry run and a directory whose files all failed are no lineage."""
    directory = tmp_path / "export"
    directory.mkdir()
    hook.upload_directory("daily", directory)
    (directory / "a").write_bytes(b"a")
    hook.upload_directory("daily", directory, dry_run=True)
    server.faults.add(Fault(operation="PutObject", status=403, code="AccessDenied"))
    with pytest.raises(OSSPermanentError):
        hook.upload_directory("daily", directory).raise_failures()
    assert not collector().has_collected


def test_a_file_whose_name_is_no_utf_8(hook: OSSHook, tmp_path: Path) -> None:
    """Its asset has the very bytes, escaped."""
    path = tmp_path / os.fsdecode(b"\xff.csv")
    path.write_bytes(DATA)
    hook.upload_file(KEY, path)
    assert collected() == ([f"{tmp_path.as_uri()}/%FF.csv"], [URI])


def test_an_asset_that_airflow_has_no_room_for(hook: OSSHook) -> None:
    """A key of which Airflow can make no asset is stored all the same."""
    hook.put_object("报" * 341, b"data")
    assert not collector().has_collected


def test_without_a_reader_nobody_pays(make_hook: Callable[..., OSSHook], file: Path) -> None:
    """In a task without a reader no collector is made: it would import the asset handlers of all providers."""
    with in_a_task(with_reader=False):
        assert not is_wanted()
        make_hook().put_file(KEY, file)
        assert [outcome.error for outcome in make_hook().upload_files([(KEY, file)])] == [None]
        assert not collector_was_made()


@pytest.mark.parametrize("readers", [[], [object]])
def test_before_airflow_3_2(monkeypatch: pytest.MonkeyPatch, readers: list[type]) -> None:
    """There the plugins' readers are known elsewhere, once they were looked for."""
    plugins = SimpleNamespace(hook_lineage_reader_classes=None)
    plugins.initialize_hook_lineage_readers_plugins = lambda: vars(plugins).update(hook_lineage_reader_classes=readers)
    monkeypatch.setitem(sys.modules, "airflow.sdk.plugins_manager", None)
    monkeypatch.setitem(sys.modules, "airflow.plugins_manager", plugins)
    monkeypatch.setenv("AIRFLOW_CTX_TASK_ID", "upload")
    assert is_wanted() == bool(readers)


def test_outside_a_task_nobody_is_asked(
    make_hook: Callable[..., OSSHook], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that uses the hook by itself does not even load Airflow's plugins to look for a reader."""

    def load(name: str) -> None:
        raise AssertionError(f"{name} was asked")

    monkeypatch.setattr("airflow_provider_oss.lineage.import_module", load)
    make_hook().put_file(KEY, file)
    assert make_hook().object_exists(KEY)
