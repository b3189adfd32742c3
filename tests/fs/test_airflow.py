"""The filesystem as Airflow's users meet it: ObjectStoragePath, FileTransferOperator, XComs, pyarrow."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import entry_points
from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath
from airflow.providers.common.io.operators.file_transfer import FileTransferOperator
from fsspec.implementations.memory import MemoryFileSystem
from pyarrow import parquet
from pyarrow import table as make_table

from airflow_provider_oss.emulator import OSSEmulator
from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.fs import oss as fs_module
from airflow_provider_oss.fs.filesystem import OSSFileSystem
from airflow_provider_oss.limits import MIB
from airflow_provider_oss.provider_info import get_provider_info
from tests.conftest import BUCKET, connection_json
from tests.fs.test_writing import SourceFailed
from tests.support.airflow_home import airflow_environment, prepare_home
from tests.support.outside_view import unfinished_uploads

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import oss2

NUMBERS = count()


@pytest.mark.parametrize("by_operator", [True, False])
def test_a_directory_to_another_connection(
    connect: Callable[..., str], bucket: oss2.Bucket, *, by_operator: bool
) -> None:
    """All files of a directory arrive, where there was nothing before, too."""
    for key in ("d/1", "d/2"):
        bucket.put_object(key, key)
    one, another = (connect(f"oss_{next(NUMBERS)}") for _ in range(2))
    if by_operator:
        FileTransferOperator(
            task_id="copy",
            src=f"oss://{BUCKET}/d",
            dst="oss://other/copy",
            source_conn_id=one,
            dest_conn_id=another,
        ).execute({})
    else:
        target = ObjectStoragePath(f"oss://{another}@other/copy")
        ObjectStoragePath(f"oss://{one}@{BUCKET}/d").copy(target, recursive=True)
    fs = OSSFileSystem(one)
    assert [fs.cat_file(name) for name in fs.find("other")] == [b"d/1", b"d/2"]


@pytest.mark.parametrize("option", ["key", "secret", "endpoint", "conn_id"])
def test_unknown_storage_options(option: str) -> None:
    """An option of another filesystem is refused, and its value is not shown: another identity would be used."""
    with pytest.raises(OSSInvalidArgument, match=f"storage option '{option}' is not known.*oss_conn_id") as caught:
        OSSFileSystem(**{option: "s3cret"})
    assert "s3cret" not in str(caught.value)


@pytest.fixture
def root(connect: Callable[..., str]) -> str:
    """The bucket by a connection of its own: Airflow keeps a filesystem for each as long as the process lives."""
    return f"oss://{connect(f'paths_{next(NUMBERS)}')}@{BUCKET}"


def test_airflow_finds_it() -> None:
    """The provider names the module, with the scheme and what makes the filesystem; fsspec has its entry point."""
    assert get_provider_info()["filesystems"] == [fs_module.__name__]
    assert fs_module.schemes == ["oss"]
    assert isinstance(fs_module.get_fs(None), OSSFileSystem)
    assert fs_module.get_fs(None).oss_conn_id == "oss_default"
    assert fs_module.get_fs("other", {"region": "cn-beijing"}).region == "cn-beijing"
    [point] = entry_points(group="fsspec.specs", name="oss")
    assert point.load() is OSSFileSystem


def test_paths(root: str, bucket: oss2.Bucket) -> None:
    """A path writes, reads, describes, lists, and is removed."""
    path = ObjectStoragePath(f"{root}/dir/a#b?c%20.txt")
    path.write_text("text")
    assert bucket.get_object("dir/a#b?c%20.txt").read() == b"text"
    assert (path.read_text(), path.read_bytes(), path.exists(), path.is_file()) == ("text", b"text", True, True)
    assert (path.path, path.size()) == (f"{BUCKET}/dir/a#b?c%20.txt", 4)
    assert path.bucket.rpartition("@")[2] == BUCKET  # that of Airflow 2 has the connection's id in front
    assert path.stat().st_size == 4
    assert path.stat().st_mtime > 0
    assert path.stat().st_mode
    folder = path.parent
    (folder / "deep" / "x.csv").write_bytes(b"1")
    assert sorted(str(found.path) for found in folder.iterdir()) == [f"{BUCKET}/dir/a#b?c%20.txt", f"{BUCKET}/dir/deep"]
    assert [found.path for found in folder.glob("**/*.csv")] == [f"{BUCKET}/dir/deep/x.csv"]
    assert folder.is_dir()
    path.unlink()
    path.unlink(missing_ok=True)
    with pytest.raises(FileNotFoundError):
        path.unlink()
    with pytest.raises(FileNotFoundError):
        path.read_text()
    folder.rmdir()
    assert not folder.exists()


def test_below_a_path_is_its_own_bucket(root: str, bucket: oss2.Bucket) -> None:
    """A key with an empty component is no path in another bucket, whoever looks for all that is below."""
    for key in ("w//other/file", "w/a"):
        bucket.put_object(key, b"1")
    below = ObjectStoragePath(f"{root}/w")
    for found in (below.rglob("*"), below.glob("**/*"), below.iterdir()):
        assert {path.path for path in found} - {f"{BUCKET}/w"} == {f"{BUCKET}/w/a"}


def test_between_buckets_and_files(root: str, tmp_path: Path, bucket: oss2.Bucket) -> None:
    """Paths are copied and moved inside OSS, to files of the worker, and back."""
    data = bytes(range(256)) * 4096
    one, two = ObjectStoragePath(f"{root}/one"), ObjectStoragePath(f"{root.replace(BUCKET, 'other')}/two")
    local = ObjectStoragePath(f"file://{tmp_path}/local")
    one.write_bytes(data)
    one.copy(two)
    assert two.read_bytes() == data
    two.move(ObjectStoragePath(f"{root}/moved"))
    assert not two.exists()
    ObjectStoragePath(f"{root}/moved").copy(local)
    assert (tmp_path / "local").read_bytes() == data
    local.copy(ObjectStoragePath(f"{root}/back"))
    assert bucket.get_object("back").read() == data
    assert one.rename(ObjectStoragePath(f"{root}/renamed")).read_bytes() == data
    assert sorted(found.name for found in ObjectStoragePath(f"{root}/").iterdir()) == ["back", "moved", "renamed"]


def test_without_a_connection_named(connect: Callable[..., str], bucket: oss2.Bucket) -> None:
    """Without a connection in the path it is ``oss_default``."""
    connect()
    OSSFileSystem.clear_instance_cache()
    fs_module.get_fs(None).pipe_file(f"{BUCKET}/key", b"data")
    assert bucket.get_object("key").read() == b"data"


@pytest.mark.parametrize("use", [ObjectStoragePath.exists, ObjectStoragePath.read_bytes, ObjectStoragePath.is_dir])
def test_a_wrong_connection(use: Callable[[ObjectStoragePath], Any]) -> None:
    """A path of a connection that is not there can be made, as DAG files do; its first use says which is missing."""
    path = ObjectStoragePath(f"oss://not_there@{BUCKET}/key")
    with pytest.raises(Exception, match="`not_there` isn't defined"):
        use(path)


def test_leaving_a_path_through_an_exception(root: str, bucket: oss2.Bucket) -> None:
    """What a path opens makes no object when it is left through an exception, text neither."""

    def fail(mode: str, data: Any) -> None:
        with ObjectStoragePath(f"{root}/key").open(mode) as file:
            file.write(data)
            raise SourceFailed

    for mode, data in (("w", "text"), ("wb", b"bytes"), ("wb", bytes(20 * MIB))):
        with pytest.raises(SourceFailed):
            fail(mode, data)
        assert not bucket.object_exists("key")
        assert unfinished_uploads(bucket) == []


class BreakingFileSystem(MemoryFileSystem):
    """Files in memory of which one ends with an error in place of its last bytes."""

    protocol = "memory"
    cachable = False

    def _open(self, path: str, mode: str = "rb", **kwargs: Any) -> Any:
        file = super()._open(path, mode, **kwargs)
        if "breaks" in path and mode == "rb":
            read = file.read
            file.read = lambda size=-1: read(size) or _fail()
        return file


def _fail() -> bytes:
    raise SourceFailed


@pytest.fixture
def elsewhere() -> BreakingFileSystem:
    """Another remote storage that Airflow knows, as ``memory://``."""
    try:
        from airflow.sdk.io import attach  # noqa: PLC0415, TID251
    except ImportError:
        from airflow.io.store import attach  # type: ignore[import-not-found,no-redef]  # noqa: PLC0415

    fs = attach("memory", fs=BreakingFileSystem()).fs
    assert isinstance(fs, BreakingFileSystem)
    fs.store.clear()
    return fs


def transfer(source: str, target: str, **arguments: Any) -> None:
    """Run the operator, with the connections by name: with Airflow 2 it does not look for them in the addresses."""
    connections: Any = {"source_conn_id": urlsplit(source).username, "dest_conn_id": urlsplit(target).username}
    FileTransferOperator(task_id="transfer", src=source, dst=target, **connections, **arguments).execute({})


def test_file_transfer(root: str, tmp_path: Path, bucket: oss2.Bucket, elsewhere: BreakingFileSystem) -> None:
    """FileTransferOperator brings files of the worker and of other storages to OSS, and back."""
    data = bytes(range(256)) * 4096 * 20
    (tmp_path / "file").write_bytes(data)
    transfer(f"file://{tmp_path}/file", f"{root}/from-file")
    transfer(f"{root}/from-file", f"file://{tmp_path}/to-file")
    elsewhere.pipe_file("/source/file", data)
    transfer("memory://source/file", f"{root}/from-memory")
    transfer(f"{root}/from-memory", "memory://target/file")
    assert bucket.get_object("from-file").read() == bucket.get_object("from-memory").read() == data
    assert (tmp_path / "to-file").read_bytes() == elsewhere.cat_file("/target/file") == data
    with pytest.raises(ValueError, match="already exists"):
        transfer(f"file://{tmp_path}/file", f"{root}/from-file")


@pytest.mark.parametrize("size", [MIB, 20 * MIB])
def test_file_transfer_from_a_source_that_breaks(
    root: str, bucket: oss2.Bucket, elsewhere: BreakingFileSystem, size: int
) -> None:
    """A source that breaks leaves the old object as it was, and nothing half done."""
    bucket.put_object("key", b"old")
    elsewhere.pipe_file("/source/breaks", bytes(size))
    with pytest.raises(SourceFailed):
        transfer("memory://source/breaks", f"{root}/key", overwrite=True)
    assert bucket.get_object("key").read() == b"old"
    assert unfinished_uploads(bucket) == []


def test_pyarrow(root: str, bucket: oss2.Bucket) -> None:
    """pyarrow writes and reads through the filesystem, a failing write leaves nothing."""
    fs = ObjectStoragePath(f"{root}/key").fs
    table = make_table({"number": list(range(100_000)), "text": [str(number) for number in range(100_000)]})
    parquet.write_table(table, f"{BUCKET}/table.parquet", filesystem=fs, row_group_size=10_000)
    assert parquet.read_table(f"{BUCKET}/table.parquet", filesystem=fs).equals(table)
    assert parquet.read_table(f"{BUCKET}/table.parquet", filesystem=fs, columns=["number"]).num_columns == 1
    parquet.write_to_dataset(table.slice(0, 10), f"{BUCKET}/set", partition_cols=["number"], filesystem=fs)
    assert parquet.read_table(f"{BUCKET}/set", filesystem=fs).num_rows == 10

    def fail() -> None:
        with parquet.ParquetWriter(f"{BUCKET}/broken.parquet", table.schema, filesystem=fs) as writer:
            writer.write_table(table)
            raise SourceFailed

    with pytest.raises(SourceFailed):
        fail()
    assert not bucket.object_exists("broken.parquet")


XCOM_DAG = """
import json, sys
from airflow.providers.common.compat.sdk import DAG, task

with DAG("large_xcoms", schedule=None) as dag:

    @task
    def produce():
        return {"rows": list(range(10_000)), "name": "ü"}

    @task
    def small():
        return "small"

    @task
    def consume(value, word):
        assert word == "small"
        return len(value["rows"]) + len(value["name"])

    consume(produce(), small())

if __name__ == "__main__":
    run = dag.test()
    print(json.dumps({"state": str(run.state)}))
"""


@pytest.mark.parametrize("compression", ["", "gzip"])
def test_xcoms(tmp_path: Path, server: OSSEmulator, bucket: oss2.Bucket, compression: str) -> None:
    """As XCom backend it holds the large value of one task and gives it to the next; small ones stay in Airflow."""
    (tmp_path / "dags").mkdir()
    script = tmp_path / "dags" / "large_xcoms.py"
    script.write_text(XCOM_DAG)
    prepare_home(tmp_path / "airflow")
    settings = {
        "AIRFLOW__CORE__XCOM_BACKEND": "airflow.providers.common.io.xcom.backend.XComObjectStorageBackend",
        "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH": f"oss://oss_default@{BUCKET}/xcoms",
        "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_THRESHOLD": "1000",
        "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_COMPRESSION": compression,
        "AIRFLOW_CONN_OSS_DEFAULT": connection_json(server),
    }
    done = subprocess.run(
        [sys.executable, str(script)],
        env=airflow_environment(tmp_path / "airflow", tmp_path / "dags", settings),
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["state"].endswith("success"), done.stdout
    [item] = bucket.list_objects("xcoms/").object_list
    assert item.key.endswith(".gz") == (item.size < 40_000) == bool(compression)
