"""What is there: listing, describing, finding."""

from __future__ import annotations

import os
import pickle
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fsspec
import pytest

from airflow_provider_oss.emulator import Fault, OSSEmulator, StsSession
from airflow_provider_oss.exceptions import OSSConnectionError, OSSCredentialsExpired, OSSInvalidArgument
from airflow_provider_oss.fs import paths
from airflow_provider_oss.fs.filesystem import OSSFileSystem
from tests.conftest import BUCKET, KEY_SECRET, REGION, connection_json
from tests.fs.conftest import MakeFileSystem

if TYPE_CHECKING:
    import oss2

KEYS = ("a.csv", "logs/1.txt", "logs/2.txt", "logs/deep/er/3.txt", "logs-old/4.txt", "marked/", "marked/5.txt", "void/")


@pytest.fixture
def tree(bucket: oss2.Bucket) -> None:
    """A few objects."""
    for key in KEYS:
        bucket.put_object(key, key.encode())


def at(*names: str) -> list[str]:
    return [f"{BUCKET}/{name}" for name in names]


@pytest.mark.parametrize(
    ("given", "path", "conn_id"),
    [
        ("oss://bucket/a/b", "bucket/a/b", None),
        ("oss://conn@bucket/a@b/c", "bucket/a@b/c", "conn"),
        ("bucket/a#b?c%20d//e/", "bucket/a#b?c%20d//e", None),
        ("oss::bucket", "bucket", None),
        ("/bucket/key", "bucket/key", None),
        ("oss://conn@bucket", "bucket", "conn"),
        ("oss://", "", None),
        ("", "", None),
    ],
)
def test_addresses(given: str, path: str, conn_id: str | None) -> None:
    """Everything behind the bucket is the key as it is, and what stands before an @ in the bucket the connection."""
    assert paths.strip(given) == path
    assert paths.strip(path) == path
    assert paths.conn_id_of(given) == conn_id
    assert OSSFileSystem._strip_protocol([given]) == [path]


@pytest.mark.usefixtures("tree")
def test_ls(fs: OSSFileSystem) -> None:
    """A directory has its files and the directories in it; an empty folder has nothing, a file itself."""
    assert fs.ls(f"oss://{BUCKET}", detail=False) == at("a.csv", "logs", "logs-old", "marked", "void")
    assert fs.ls(f"{BUCKET}/logs/", detail=False) == at("logs/1.txt", "logs/2.txt", "logs/deep")
    assert fs.ls(f"{BUCKET}/marked", detail=False) == at("marked/5.txt")
    assert fs.ls(f"{BUCKET}/void") == []
    assert [info["type"] for info in fs.ls(f"{BUCKET}/logs")] == ["file", "file", "directory"]
    assert fs.ls(f"{BUCKET}/a.csv") == [fs.info(f"{BUCKET}/a.csv")]
    assert fs.ls("", detail=False) == [BUCKET, "other"]
    assert fs.ls("other") == []


@pytest.mark.parametrize("path", [f"{BUCKET}/absent", "no-such-bucket", "no-such-bucket/key"])
def test_what_is_not_there(fs: OSSFileSystem, path: str) -> None:
    """Of what is not there everything says so: it does not exist, and describing or listing it raises."""
    assert (fs.exists(path), fs.isfile(path), fs.isdir(path)) == (False, False, False)
    for look in (fs.info, fs.ls, fs.size, fs.checksum, fs.modified):
        with pytest.raises(FileNotFoundError):
            look(path)


@pytest.mark.usefixtures("tree")
def test_info(fs: OSSFileSystem, bucket: oss2.Bucket) -> None:
    """What is told of an object is the same whether it was listed or looked at, and is what OSS says."""
    path = f"{BUCKET}/logs/1.txt"
    info = fs.info(path)
    [listed] = [found for found in fs.ls(f"{BUCKET}/logs") if found["name"] == path]
    headers = bucket.head_object("logs/1.txt").headers
    assert info == listed
    assert info == {
        "name": path,
        "size": 10,
        "type": "file",
        "ETag": headers["ETag"].strip('"'),
        "LastModified": parsedate_to_datetime(headers["Last-Modified"]),
        "StorageClass": "Standard",
    }
    assert fs.modified(path) == fs.created(path) == info["LastModified"]
    assert abs((datetime.now(UTC) - fs.modified(path)).total_seconds()) < 60
    directory = {"name": f"{BUCKET}/logs", "size": 0, "type": "directory"}
    assert fs.info(f"{BUCKET}/logs/") == directory
    assert [found for found in fs.ls(BUCKET) if found["name"] == f"{BUCKET}/logs"] == [directory]
    assert fs.info(BUCKET)["type"] == fs.info("")["type"] == "directory"
    assert (fs.exists(BUCKET), fs.isdir(BUCKET), fs.isdir(f"{BUCKET}/log"), fs.isfile(path)) == (
        True,
        True,
        False,
        True,
    )
    with pytest.raises(FileNotFoundError):
        fs.modified(f"{BUCKET}/logs")


@pytest.mark.usefixtures("tree")
def test_find(fs: OSSFileSystem) -> None:
    """All files below are found, no deeper than asked for, with directories only when asked for."""
    everything = at("a.csv", "logs-old/4.txt", "logs/1.txt", "logs/2.txt", "logs/deep/er/3.txt", "marked/5.txt")
    assert fs.find(BUCKET) == everything
    assert fs.find(f"{BUCKET}/logs", maxdepth=1) == at("logs/1.txt", "logs/2.txt")
    assert fs.find(f"{BUCKET}/logs", maxdepth=3) == fs.find(f"{BUCKET}/logs")
    below = at("logs", "logs/1.txt", "logs/2.txt", "logs/deep", "logs/deep/er", "logs/deep/er/3.txt")
    assert fs.find(f"{BUCKET}/logs", withdirs=True) == fs.find(f"{BUCKET}/logs", withdirs=True, maxdepth=9) == below
    assert fs.find(f"{BUCKET}/a.csv") == at("a.csv")
    assert fs.find(f"{BUCKET}/a.csv", detail=True) == {f"{BUCKET}/a.csv": fs.info(f"{BUCKET}/a.csv")}
    assert fs.find(f"{BUCKET}/void", withdirs=True) == at("void")
    assert fs.find(f"{BUCKET}/absent") == []
    with pytest.raises(OSSInvalidArgument, match="names no bucket"):
        fs.find("")


@pytest.mark.usefixtures("tree")
def test_glob(fs: OSSFileSystem) -> None:
    """Patterns match as in fsspec; a star does not match a slash."""
    assert fs.glob(f"oss://{BUCKET}/logs/*.txt") == at("logs/1.txt", "logs/2.txt")
    assert fs.glob(f"{BUCKET}/log*") == at("logs", "logs-old")
    assert fs.glob(f"{BUCKET}/**/*.txt") == at(
        "logs-old/4.txt", "logs/1.txt", "logs/2.txt", "logs/deep/er/3.txt", "marked/5.txt"
    )
    assert fs.glob(f"{BUCKET}/logs/?.txt") == fs.glob(f"{BUCKET}/logs/[12].txt")
    assert fs.glob(f"{BUCKET}/*/deep/") == at("logs/deep")
    assert fs.glob(f"{BUCKET}/a.csv") == at("a.csv")
    assert fs.glob(f"{BUCKET}/absent*") == []


@pytest.mark.usefixtures("tree")
def test_glob_lists_what_begins_so(fs: OSSFileSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pattern in a directory of many files asks for those alone that begin as it does."""
    asked = []
    list_pages = fs.hook.list_pages

    def remember(prefix: str, *arguments: Any) -> Any:
        asked.append(prefix)
        return list_pages(prefix, *arguments)

    monkeypatch.setattr(fs.hook, "list_pages", remember)
    assert fs.glob(f"{BUCKET}/logs/1*") == at("logs/1.txt")
    assert asked == [f"oss://{BUCKET}/logs/1"]


@pytest.mark.usefixtures("tree")
def test_walk_and_du(fs: OSSFileSystem) -> None:
    """Walking yields each directory; sizes are summed from listings, not asked for one by one."""
    assert [(path, directories, files) for path, directories, files in fs.walk(f"{BUCKET}/logs")] == [
        (f"{BUCKET}/logs", ["deep"], ["1.txt", "2.txt"]),
        (f"{BUCKET}/logs/deep", ["er"], []),
        (f"{BUCKET}/logs/deep/er", [], ["3.txt"]),
    ]
    assert list(fs.walk(f"{BUCKET}/absent")) == []
    with pytest.raises(FileNotFoundError):
        list(fs.walk(f"{BUCKET}/absent", on_error="raise"))
    assert fs.du(f"{BUCKET}/logs") == 38
    assert fs.du(f"{BUCKET}/logs", total=False, maxdepth=1) == dict.fromkeys(at("logs/1.txt", "logs/2.txt"), 10)


def test_du_is_one_listing(fs: OSSFileSystem, tree: None, server: OSSEmulator) -> None:
    """No object is asked for by itself."""
    del tree
    server.forget_requests()
    fs.du(BUCKET)
    assert [request.operation for request in server.requests] == ["ListObjectsV2"]


LOOKS: dict[str, Callable[[OSSFileSystem, str], Any]] = {
    "exists": lambda fs, path: fs.exists(path),
    "isfile": lambda fs, path: fs.isfile(path),
    "isdir": lambda fs, path: fs.isdir(path),
    "find": lambda fs, path: fs.find(path),
    "glob": lambda fs, path: fs.glob(f"{path}/*"),
    "walk": lambda fs, path: list(fs.walk(path)),
    "du": lambda fs, path: fs.du(path),
    "ls": lambda fs, path: fs.ls(path),
    "rm": lambda fs, path: fs.rm(path, recursive=True),
    "copy": lambda fs, path: fs.copy(path, "other/to", recursive=True),
    "get": lambda fs, path: fs.get(path, "/nowhere", recursive=True),
}


@pytest.mark.usefixtures("tree")
@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(code="AccessDenied"), PermissionError),
        (Fault(reset="before"), OSSConnectionError),
    ],
    ids=["forbidden", "no connection"],
)
def test_what_cannot_be_seen_is_not_missing(
    fs: OSSFileSystem, server: OSSEmulator, look: str, fault: Fault, error: type[Exception]
) -> None:
    """That OSS refuses or cannot be reached never reads as "not there" or "nothing"."""
    server.faults.add(fault)
    with pytest.raises(error):
        LOOKS[look](fs, f"{BUCKET}/logs")


@pytest.mark.usefixtures("tree")
def test_nothing_is_remembered(fs: OSSFileSystem, bucket: oss2.Bucket) -> None:
    """What others write or delete is seen at once."""
    assert len(fs.ls(f"{BUCKET}/logs")) == 3
    bucket.put_object("logs/0.txt", b"new")
    bucket.delete_object("logs/1.txt")
    assert fs.ls(f"{BUCKET}/logs", detail=False) == at("logs/0.txt", "logs/2.txt", "logs/deep")
    assert not fs.exists(f"{BUCKET}/logs/1.txt")


def test_odd_names(fs: OSSFileSystem) -> None:
    """Keys with the characters of addresses and patterns, spaces, umlauts and empty parts are what they are."""
    names = [
        "a#b?c",
        "50%",
        "%41",
        "with space",
        "ü/☃",
        "a//b",
        "back\\slash",
        "[x]*",
        "oss://x/y",
        "a@b",
        "..",
        "x/../y",
    ]
    for name in names:
        fs.pipe_file(f"oss://{BUCKET}/{name}", name.encode())
    assert fs.find(BUCKET) == sorted(at(*names))
    for name in names:
        assert fs.cat_file(f"oss://{BUCKET}/{name}") == name.encode()
        assert fs.info(f"{BUCKET}/{name}")["size"] == len(name.encode())
        fs.rm(f"{BUCKET}/{name}")
    assert fs.find(BUCKET) == []


@pytest.mark.parametrize("path", [f"{BUCKET}//key", "Bad_Bucket/key", f"{BUCKET}/nul\0", f"{BUCKET}/{'x' * 1024}"])
def test_names_that_oss_refuses(fs: OSSFileSystem, server: OSSEmulator, path: str) -> None:
    """A name that no object can have is refused with what is wrong, before anything is sent."""
    for use in (fs.exists, fs.open, lambda path: fs.pipe_file(path, b"")):
        with pytest.raises(OSSInvalidArgument):
            use(path)
    assert not server.requests


def test_what_is_both(fs: OSSFileSystem, bucket: oss2.Bucket) -> None:
    """A key may be an object and the prefix of others: it is a file, with a listing."""
    bucket.put_object("both", b"object")
    bucket.put_object("both/below", b"below")
    assert fs.isfile(f"{BUCKET}/both")
    assert fs.ls(f"{BUCKET}/both", detail=False) == at("both/below")
    assert fs.find(BUCKET) == at("both", "both/below")


def test_checksum(fs: OSSFileSystem, bucket: oss2.Bucket) -> None:
    """The checksum changes with the content, the ukey with every writing."""
    bucket.put_object("key", b"one")
    first = fs.checksum(f"{BUCKET}/key")
    bucket.put_object("key", b"one")
    assert fs.checksum(f"{BUCKET}/key") == first
    bucket.put_object("key", b"two")
    assert fs.checksum(f"{BUCKET}/key") != first


def test_sign(fs: OSSFileSystem, bucket: oss2.Bucket) -> None:
    """A presigned URL is for this object."""
    bucket.put_object("a b", b"one")
    url = fs.sign(f"{BUCKET}/a b", expiration=60)
    assert "/a%20b?" in url
    assert "x-oss-expires=60" in url


def test_making_one_costs_nothing(server: OSSEmulator) -> None:
    """A filesystem is made without its connection, which need not be there."""
    fs = OSSFileSystem("no_such_connection")
    assert fs.fsid == "oss-no_such_connection"
    assert not server.requests
    with pytest.raises(Exception, match="no_such_connection"):
        fs.exists(f"{BUCKET}/key")


def test_instances(make_fs: MakeFileSystem) -> None:
    """The same connection is the same filesystem; what is shown or pickled of it has no secret."""
    fs = make_fs()
    assert fsspec.filesystem("oss", oss_conn_id=fs.oss_conn_id).oss_conn_id == fs.oss_conn_id
    assert fsspec.filesystem("oss").oss_conn_id == "oss_default"
    assert OSSFileSystem("oss_default") is fs
    assert OSSFileSystem("another") is not fs
    fs.exists(f"{BUCKET}/key")
    for shown in (repr(fs), fs.to_json(), repr(fs.storage_options), pickle.dumps(fs).decode("latin-1")):
        assert KEY_SECRET not in shown
    assert pickle.loads(pickle.dumps(fs)) is fs  # noqa: S301 - our own


def test_by_address(make_fs: MakeFileSystem, bucket: oss2.Bucket) -> None:
    """What uses fsspec directly names the connection in the address or as a storage option."""
    make_fs(conn_id="other_conn")
    bucket.put_object("a#b?c", b"data")
    with fsspec.open(f"oss://other_conn@{BUCKET}/a#b?c") as file:
        assert file.read() == b"data"
        assert file.fs.oss_conn_id == "other_conn"
    with fsspec.open(f"oss://{BUCKET}/a#b?c", oss_conn_id="other_conn") as file:
        assert file.read() == b"data"


def test_a_forked_process_gets_its_own_connections(fs: OSSFileSystem, bucket: oss2.Bucket) -> None:
    """Connections are not shared with a child process."""
    bucket.put_object("key", b"data")
    hook = fs.hook
    assert fs.cat_file(f"{BUCKET}/key") == b"data"
    pid = os.fork()
    if not pid:
        os._exit(0 if fs.hook is not hook and fs.cat_file(f"{BUCKET}/key") == b"data" else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert fs.hook is hook


def test_an_expired_token_is_renewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a process that lives longer than the token the connection is read again, once."""
    sessions = [StsSession("STS.old", "s1", "token-1", time.time() - 1), StsSession("STS.new", "s2", "token-2", None)]
    with OSSEmulator(root=tmp_path / "sts", sts_sessions=sessions) as server:

        def use(session: StsSession) -> None:
            extra = {"region": REGION, "security_token": session.security_token}
            fields = {"login": session.access_key_id, "password": session.access_key_secret, "extra": extra}
            monkeypatch.setenv("AIRFLOW_CONN_TEMPORARY", connection_json(server, **fields))

        use(sessions[0])
        fs = OSSFileSystem("temporary")
        with pytest.raises(OSSCredentialsExpired):
            fs.ls(BUCKET)
        use(sessions[1])
        assert fs.ls(BUCKET) == []


def test_a_key_that_was_replaced_is_taken_over(make_fs: MakeFileSystem, connect: Callable[..., str]) -> None:
    """A filesystem lives as long as its process: it goes on when the connection gets a right AccessKey."""
    fs = make_fs(password="wrong")
    with pytest.raises(PermissionError, match="SignatureDoesNotMatch"):
        fs.ls(BUCKET)
    connect()
    assert fs.ls(BUCKET) == []


def test_keys_with_an_empty_component(fs: OSSFileSystem, bucket: oss2.Bucket, caplog: pytest.LogCaptureFixture) -> None:
    """What is listed or matched can be named by a path; what cannot be is left out, and the log says so."""
    for key in ("w//deep/file", "w/a", "w/b//c", "other"):
        bucket.put_object(key, b"")
    assert fs.glob(f"{BUCKET}/w/**") == [f"{BUCKET}/w", f"{BUCKET}/w/a", f"{BUCKET}/w/b"]
    assert fs.ls(f"{BUCKET}/w", detail=False) == [f"{BUCKET}/w/a", f"{BUCKET}/w/b"]
    assert list(fs.walk(f"{BUCKET}/w")) == [(f"{BUCKET}/w", ["b"], ["a"]), (f"{BUCKET}/w/b", [], [])]
    assert "keys with an empty component are left out" in caplog.text
    assert list(fs.glob(f"{BUCKET}/w//**", detail=True)) == fs.glob(f"{BUCKET}/w//**")
    assert f"{BUCKET}/w//deep/file" in fs.glob(f"{BUCKET}/w//**")
    assert fs.find(f"{BUCKET}/w") == [f"{BUCKET}/w//deep/file", f"{BUCKET}/w/a", f"{BUCKET}/w/b//c"]
    fs.rm(f"{BUCKET}/w", recursive=True)
    assert fs.find(BUCKET) == [f"{BUCKET}/other"]
