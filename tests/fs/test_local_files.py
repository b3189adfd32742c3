"""Files of this machine whose names look like patterns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.fs.filesystem import OSSFileSystem
from tests.conftest import BUCKET

if TYPE_CHECKING:
    import oss2

TWINS = {"d[1].csv": "d1.csv", "a*c": "abc", "e?": "ef"}
"""Each name, and one that it would match."""

odd = pytest.mark.parametrize("name", TWINS)


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder with a file of each name, which holds its name; and the same in a folder with such a name."""
    for folder in (tmp_path / "here", tmp_path / "here" / "run[1]", tmp_path / "here" / "run1"):
        folder.mkdir()
        for name in (*TWINS, *TWINS.values()):
            (folder / name).write_text(f"{folder.name}/{name}")
    return tmp_path / "here"


def stored(fs: OSSFileSystem) -> dict[str, str]:
    return {name.removeprefix(f"{BUCKET}/"): fs.cat_file(name).decode() for name in fs.find(BUCKET)}


@odd
def test_the_file_itself(fs: OSSFileSystem, here: Path, name: str) -> None:
    """A name that is there is that file, under a key, in a folder, and in a list of them."""
    fs.put(str(here / name), f"{BUCKET}/key")
    fs.put(here / name, f"{BUCKET}/folder/")
    fs.put([str(here / name)], f"{BUCKET}/several")
    fs.put((str(here / name),), (f"{BUCKET}/pair",))
    own = f"here/{name}"
    assert stored(fs) == {"key": own, f"folder/{name}": own, f"several/{name}": own, "pair": own}


def test_files_that_are_moved(connect: Callable[..., str], here: Path) -> None:
    """What Airflow's path moves is what is stored, and nothing else is gone."""
    conn_id = connect("oss_of_moved_files")  # Airflow keeps the filesystem of each connection
    moved = {name: twin for name, twin in TWINS.items() if "?" not in name}  # which Airflow takes for a query
    for name, twin in moved.items():
        ObjectStoragePath(f"file://{here}/{name}").move(ObjectStoragePath(f"oss://{conn_id}@{BUCKET}/{twin}.moved"))
        assert not (here / name).exists()
        assert (here / twin).exists()
    assert stored(OSSFileSystem(conn_id)) == {f"{twin}.moved": f"here/{name}" for name, twin in moved.items()}


@pytest.mark.parametrize("given", [str, lambda path: [path]], ids=["one", "several"])
def test_a_folder(fs: OSSFileSystem, here: Path, given: Callable[[str], Any]) -> None:
    """A folder is uploaded with what is in it, whatever their names look like."""
    fs.put(given(str(here / "run[1]")), f"{BUCKET}/into/", recursive=True)
    assert set(stored(fs).values()) == {f"run[1]/{name}" for name in (*TWINS, *TWINS.values())}


def test_a_folder_of_a_list_keeps_names(fs: OSSFileSystem, here: Path) -> None:
    """Below a pattern, folders with such names are themselves."""
    fs.put(str(here / "run[[]*"), f"{BUCKET}/into", recursive=True)
    assert set(stored(fs).values()) == {f"run[1]/{name}" for name in (*TWINS, *TWINS.values())}


def test_patterns(fs: OSSFileSystem, here: Path) -> None:
    """What is no name stays a pattern; one that matches nothing is an error."""
    fs.put(str(here / "*.csv"), f"{BUCKET}/into")
    assert stored(fs) == {f"into/{name}": f"here/{name}" for name in ("d[1].csv", "d1.csv")}
    with pytest.raises(FileNotFoundError, match="nothing matches"):
        fs.put(str(here / "*.parquet"), f"{BUCKET}/into")


def test_two_files_of_one_object(fs: OSSFileSystem, here: Path) -> None:
    """Two files of one name do not take each other's place."""
    with pytest.raises(OSSInvalidArgument, match="would both become"):
        fs.put([str(here / "abc"), str(here / "run1" / "abc")], f"{BUCKET}/into")
    with pytest.raises(ValueError, match="zip"):
        fs.put([str(here / "abc"), str(here / "ef")], [f"{BUCKET}/one"])
    assert stored(fs) == {}


@odd
def test_objects_in_a_list(fs: OSSFileSystem, bucket: oss2.Bucket, name: str) -> None:
    """In a list an object whose name looks like a pattern is that object too: copied, moved, read."""
    for key in (name, TWINS[name]):
        bucket.put_object(key, key)
    fs.copy([f"{BUCKET}/{name}"], f"{BUCKET}/copied/")
    assert fs.cat([f"{BUCKET}/{name}"]) == {f"{BUCKET}/{name}": name.encode()}
    fs.mv([f"{BUCKET}/{name}"], f"{BUCKET}/moved/")
    assert stored(fs) == {TWINS[name]: TWINS[name], f"copied/{name}": name, f"moved/{name}": name}
