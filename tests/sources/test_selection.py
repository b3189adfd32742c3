"""Which files are meant, and which keys they get."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from airflow_provider_oss.exceptions import OSSInvalidArgument, OSSInvalidSource, OSSSourceUnavailable
from airflow_provider_oss.sources.object_storage import Location, fixed_part, keys_below, parse_location, select
from tests.support.own_path import OwnPath


@pytest.mark.parametrize(
    ("text", "conn_id", "expected"),
    [
        ("s3://bucket/key", None, Location("s3", None, "bucket/key")),
        ("s3://aws@bucket/a@b#c?d%20", None, Location("s3", "aws", "bucket/a@b#c?d%20")),
        ("s3://bucket/key", "aws", Location("s3", "aws", "bucket/key")),
        ("s3://aws@bucket/key", "aws", Location("s3", "aws", "bucket/key")),
        ("S3://bucket/part-?", None, Location("s3", None, "bucket/part-?")),
        ("file:///data/x", None, Location("file", None, "/data/x")),
        ("/data/x:y//z", None, Location("file", None, "/data/x:y//z")),
        ("data/x", "aws", Location("file", None, "data/x")),
        ("sftp://ssh@/dir/a", None, Location("sftp", "ssh", "/dir/a")),
    ],
)
def test_parse(text: str, conn_id: str | None, expected: Location) -> None:
    """Everything behind the host is the path as it is; the connection stands before it, or is an argument."""
    assert parse_location(text, conn_id) == expected


@pytest.mark.parametrize(
    ("text", "conn_id", "message"),
    [
        ("s3://one@bucket/key", "two", "names the connection 'one', source_conn_id is 'two'"),
        ("sftp://me:s3cret@host/x", None, "has a password in it"),
        ("https://me:s3cret@host/a?token=s3cret", None, "use HttpToOSSOperator"),
    ],
)
def test_parse_what_cannot_be(text: str, conn_id: str | None, message: str) -> None:
    """Two connections, passwords and web addresses are errors that say what to do and tell no secret."""
    with pytest.raises(OSSInvalidArgument, match=message) as caught:
        parse_location(text, conn_id)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("bucket/a/b*.csv", "bucket/a/"),
        ("bucket/a*/b/c.csv", "bucket/"),
        ("bucket/**", "bucket/"),
        ("/data/[ab]/x?", "/data/"),
        ("*", ""),
    ],
)
def test_fixed_part(pattern: str, expected: str) -> None:
    """What is fixed of a glob is its folders before the first one that has a meaning."""
    assert fixed_part(pattern) == expected


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder of files with equal names in different folders."""
    for name in ("x/r.csv", "y/r.csv", "y/deep/s.csv", "top.csv", "other.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


def local(*_: Any) -> LocalFileSystem:
    return LocalFileSystem()


def keys(*given: Any, prefix: str = "to") -> list[str]:
    return list(keys_below(prefix, select(given, None, local)))


@pytest.mark.parametrize(
    ("globs", "expected"),
    [
        (["*/r.csv"], ["to/x/r.csv", "to/y/r.csv"]),
        (["**/*.csv"], ["to/top.csv", "to/x/r.csv", "to/y/deep/s.csv", "to/y/r.csv"]),
        (["top.csv", "y/*"], ["to/top.csv", "to/r.csv"]),
        (["*.csv", "top.csv"], ["to/top.csv"]),
        (["*"], ["to/other.txt", "to/top.csv"]),
    ],
)
def test_keys(tree: Path, globs: list[str], expected: list[str]) -> None:
    """The tree below the fixed part of a glob is kept, a single path has its name; folders are no files."""
    assert keys(*(f"{tree}/{one}" for one in globs)) == expected


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [("to/", "to/top.csv"), ("", "top.csv"), ("a/b", "a/b/top.csv"), ("oss://bucket", "oss://bucket/top.csv")],
)
def test_prefix(tree: Path, prefix: str, expected: str) -> None:
    """Between prefix and name is one slash."""
    assert keys(f"{tree}/top.csv", prefix=prefix) == [expected]


@pytest.mark.parametrize("given", [["x/r.csv", "y/r.csv"], ["x/*", "y/*.csv"]])
def test_equal_names_never_merge(tree: Path, given: list[str]) -> None:
    """Two files that would become one object are an error that names both."""
    with pytest.raises(OSSInvalidArgument, match=r"x/r\.csv.*y/r\.csv.*both become 'to/r\.csv'"):
        keys(*(f"{tree}/{one}" for one in given))


def test_no_match(tree: Path) -> None:
    """A glob without a file, or in a folder that is not there, is an error for good."""
    for pattern in ("*.parquet", "nowhere/*"):
        with pytest.raises(OSSInvalidSource, match="matches no file"):
            keys(f"{tree}/{pattern}")


@pytest.mark.parametrize("given", [5, None, b"s3://bucket/key"])
def test_neither_text_nor_path(given: Any) -> None:
    """What is neither text nor a path is an error that says so."""
    with pytest.raises(OSSInvalidArgument, match="give text or an ObjectStoragePath"):
        keys(given)


def test_paths_of_this_worker(tree: Path) -> None:
    """A path that is no text is one file of this worker, and none of its characters has a meaning."""
    odd = tree / "odd[1]*.csv"
    odd.write_text("odd")
    (tree / "odd1.csv").write_text("another")
    assert keys(odd, OwnPath(str(tree / "top.csv"))) == ["to/odd[1]*.csv", "to/top.csv"]


class Unlistable(MemoryFileSystem):  # type: ignore[misc]  # fsspec has no types
    """Two folders of a file each, of which one cannot be listed."""

    cachable = False

    def __init__(self, error: Exception, at: str) -> None:
        super().__init__()
        self.store: dict[str, Any] = {}
        self.pseudo_dirs = [""]
        self.error, self.at = error, at
        self.pipe({"/x/a/1.csv": b"1", "/x/b/2.csv": b"2"})

    def ls(self, path: str, *args: Any, **kwargs: Any) -> Any:
        if path == self.at:
            raise self.error
        return super().ls(path, *args, **kwargs)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (PermissionError("no"), OSSInvalidSource),
        (ConnectionResetError("busy"), OSSSourceUnavailable),
        (RuntimeError("busy"), OSSSourceUnavailable),
    ],
)
@pytest.mark.parametrize("at", ["/x", "/x/b"])
@pytest.mark.parametrize("pattern", ["*/*", "**/*.csv"])
def test_listing_that_fails(error: Exception, expected: type[Exception], at: str, pattern: str) -> None:
    """
    A listing that is refused is an error for good, any other failure one that may pass.

    No folder that could not be listed counts as empty.
    """
    with pytest.raises(expected):
        select([f"memory://x/{pattern}"], None, lambda *_: Unlistable(error, at))


def test_a_folder_that_is_gone_meanwhile() -> None:
    """A folder that was there when the one around it was listed is empty when it is deleted before its turn."""
    found = select(["memory://x/*/*"], None, lambda *_: Unlistable(FileNotFoundError("gone"), "/x/b"))
    assert [one.below for one in found] == ["a/1.csv"]


def test_no_glob(tree: Path) -> None:
    """A pattern that means nothing is an error for good."""
    with pytest.raises(OSSInvalidSource, match=r"cannot be listed.*entire path component"):
        keys(f"{tree}/x**y")


def test_links(tree: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A link to a file is the file; one that leads nowhere, or to a folder, is left out, and the log says so."""
    (tree / "l-file").symlink_to("top.csv")
    (tree / "l-broken").symlink_to("nowhere")
    (tree / "l-folder").symlink_to("x")
    assert keys(f"{tree}/l-*") == ["to/l-file"]
    for name in ("l-broken", "l-folder"):
        assert f"{tree}/{name} matches, and is left out: it is no file" in caplog.text
