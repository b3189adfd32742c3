"""
Read-only filesystem operations: info, ls, find, glob.

Objects are entries of directories. A directory is a prefix that ends with a slash; OSS has none.
"""

from __future__ import annotations

import errno
import os
from abc import abstractmethod
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from glob import has_magic
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, TypeVar

from fsspec.spec import AbstractFileSystem
from fsspec.utils import tokenize

from airflow_provider_oss.exceptions import OSSInvalidArgument, OSSNoSuchKey
from airflow_provider_oss.fs import paths
from airflow_provider_oss.fs.paths import uri
from airflow_provider_oss.hooks import DEFAULT_CONN_ID
from airflow_provider_oss.shown import Log
from airflow_provider_oss.uri import SCHEME

if TYPE_CHECKING:
    from airflow_provider_oss.hooks.oss import OSSHook
    from airflow_provider_oss.model import ListedObject, ObjectInfo

log = Log(__name__)

Info: TypeAlias = dict[str, Any]
"""What fsspec's ``info`` returns; of a file the same whether it was listed or looked at."""

Answer = TypeVar("Answer")
Found = TypeVar("Found", dict[str, Info], list[str])

_FSSPEC_OPTIONS = frozenset(
    {
        "asynchronous", "batch_size", "listings_expiry_time", "loop", "max_paths", "skip_instance_cache",
        "use_listings_cache",
    }
)  # fmt: skip
"""What fsspec takes for every filesystem."""

READING_OPTIONS = frozenset({"default_block_size", "default_cache_type", "default_fill_cache"})
"""Options of s3fs for how files are read unless they are opened otherwise. The last has no effect here."""


def file_info(found: ObjectInfo) -> Info:
    """Return the entry of an object that was looked at."""
    modified = None if found.last_modified is None else parsedate_to_datetime(found.last_modified)
    return _file(f"{found.ref.bucket}/{found.ref.key}", found.size_bytes, found.etag, modified, found.storage_class)


def directory_info(path: str) -> Info:
    """Return the entry of a prefix."""
    return {"name": path.removesuffix("/"), "size": 0, "type": "directory"}


def entries(hook: OSSHook, bucket: str, directory: str, begins: str = "", depth: int | None = None) -> Iterator[Info]:
    """
    Yield files and directories below ``directory``, a key that ends with a slash or is empty; itself if it is there.

    It is there as an entry when an object has its name, slash included: what other tools make as an empty folder.

    :param begins: only what begins so.
    :param depth: levels to go down, each directory is listed; None lists everything at once, without directories.
    """
    if depth is None:
        yield from _everything(hook, bucket, directory, begins)
        return
    for page in hook.list_pages(uri(f"{bucket}/{directory}{begins}"), None, "/"):
        yield from (_entry(item) for item in page.items)
        for prefix in page.prefixes:
            yield directory_info(f"{bucket}/{prefix}")
            if depth > 1:
                # its own entry comes again, if it has one
                yield from entries(hook, bucket, prefix, depth=depth - 1)


def _everything(hook: OSSHook, bucket: str, directory: str, begins: str) -> Iterator[Info]:
    seen = {""}
    for item in hook.list_objects(uri(f"{bucket}/{directory}{begins}")):
        below = item.ref.key.removeprefix(directory)
        parent = below.rpartition("/")[0]
        for end in (at for at, character in enumerate(parent) if character == "/"):
            if parent[:end] not in seen:
                seen.add(parent[:end])
                yield directory_info(f"{bucket}/{directory}{parent[:end]}")
        if parent not in seen:
            seen.add(parent)
            yield directory_info(f"{bucket}/{directory}{parent}")
        yield _entry(item)


def _entry(item: ListedObject) -> Info:
    path = f"{item.ref.bucket}/{item.ref.key}"
    if path.endswith("/"):
        return directory_info(path)
    modified = datetime.fromtimestamp(item.last_modified, UTC)
    return _file(path, item.size_bytes, item.etag, modified, item.storage_class)


def _file(path: str, size_bytes: int, etag: str, modified: datetime | None, storage_class: str | None) -> Info:
    return {
        "name": path,
        "size": size_bytes,
        "type": "file",
        "ETag": etag,
        "LastModified": modified,
        "StorageClass": storage_class or "Standard",
    }


class OSSLookingFileSystem(AbstractFileSystem):  # type: ignore[misc]  # fsspec has no types
    """
    Answers from OSS itself, every time: no listing is kept. Thread-safe.

    Not there is FileNotFoundError (``exists`` says False), refused is PermissionError; every other error is raised too,
    where fsspec's own methods would say "not there" or leave it out.
    """

    protocol: ClassVar[str] = "oss"
    root_marker: ClassVar[str] = ""

    def __init__(self, oss_conn_id: str = DEFAULT_CONN_ID, region: str | None = None, **storage_options: Any) -> None:
        asked = {name for name, value in storage_options.items() if is_asked_for(value)}
        if unknown := sorted(asked - _FSSPEC_OPTIONS - READING_OPTIONS):
            raise OSSInvalidArgument(
                f"storage option {unknown[0]!r} is not known: endpoint and credentials are those of an Airflow "
                "connection, which oss_conn_id names; region is the other option"
            )
        super().__init__(oss_conn_id=oss_conn_id, region=region, **storage_options)
        self.oss_conn_id = oss_conn_id
        self.region = region
        self.default_block_size: int | None = storage_options.get("default_block_size")
        self.default_cache_type: str | None = storage_options.get("default_cache_type")
        self._made: set[str] = set()

    @property
    @abstractmethod
    def hook(self) -> OSSHook:
        """The hook that asks OSS."""

    def _ask(self, call: Callable[[OSSHook], Answer]) -> Answer:
        """Return what ``call`` does with the hook; once more when the connection has other credentials by now."""
        hook = self.hook
        return hook.with_new_credentials(lambda: call(hook))

    @property
    def fsid(self) -> str:
        """The same for the same connection."""
        return f"oss-{self.oss_conn_id}"

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        return [paths.strip(each) for each in path] if isinstance(path, list) else paths.strip(path)

    def unstrip_protocol(self, name: str) -> str:
        """Return the address that leads back to this filesystem, its connection in it unless that is the default."""
        connection = "" if self.oss_conn_id == DEFAULT_CONN_ID else f"{self.oss_conn_id}@"
        return f"{SCHEME}{connection}{paths.strip(name)}"

    @staticmethod
    def _get_kwargs_from_urls(path: str) -> dict[str, str]:
        conn_id = paths.conn_id_of(path)
        return {} if conn_id is None else {"oss_conn_id": conn_id}

    def info(self, path: str, **_: Any) -> Info:
        """
        Return name, size and type, of an object also ETag, LastModified and StorageClass; of a prefix a directory.

        Raises FileNotFoundError when there is neither.
        """
        path = paths.strip(path)
        bucket, key = paths.split(path)
        if not path:
            return directory_info("")
        try:
            if key:
                return file_info(self._ask(lambda hook: hook.head_object(paths.uri(path))))
        except OSSNoSuchKey:
            if not self._is_directory(bucket, key) and not self._was_made(path):
                raise
        else:
            self._is_directory(bucket, key)
        return directory_info(path)

    def _was_made(self, path: str) -> bool:
        """Whether this process was asked to make this directory, or one below it."""
        return any(made == path or made.startswith(f"{path}/") for made in tuple(self._made))

    def _is_directory(self, bucket: str, key: str) -> bool:
        """Whether keys begin with this one and a slash. Raises OSSNoSuchBucket."""
        prefix = f"{key}/" if key else ""
        uri = paths.uri(f"{bucket}/{prefix}")
        return self._ask(lambda hook: any(page.items for page in hook.list_pages(uri, most=1)))

    def _entries(self, path: str, begins: str = "", depth: int | None = None) -> dict[str, Info]:
        """Return what is below a directory, by name; itself when an object has its name."""
        bucket, key = paths.split(path)
        if not bucket:
            raise OSSInvalidArgument("the path names no bucket: objects of all buckets are not listed at once")
        directory = f"{key}/" if key else ""

        def collect(hook: OSSHook) -> dict[str, Info]:
            found: dict[str, Info] = {}
            for info in entries(hook, bucket, directory, begins, depth):
                found.setdefault(info["name"], info)  # where a key is a prefix too, its object comes first
            return found

        return self._ask(collect)

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        """Return the entries of a directory, of a file itself, of no path the buckets. Raises FileNotFoundError."""
        path = paths.strip(path)
        if not path:
            found = {name: directory_info(name) for name in self._ask(lambda hook: hook.list_buckets())}
        else:
            found = self._entries(path, depth=1)
            if not found and "/" in path:
                info = self.info(path)
                found = {path: info} if info["type"] == "file" else {}
            elif found.get(path, {}).get("type") == "directory":
                del found[path]
            found = _without_empty_components(path, found)
        return [found[name] for name in sorted(found)] if detail else sorted(found)

    def find(
        self, path: str, maxdepth: int | None = None, withdirs: bool = False, detail: bool = False, **kwargs: Any
    ) -> Any:  # fmt: skip
        """Return all files below, with ``withdirs`` directories too. Listed at once unless ``maxdepth`` is given."""
        path, begins = paths.strip(path), kwargs.get("prefix", "")
        below = self._entries(path, begins, maxdepth)
        own = below.pop(path, None)
        found = {name: info for name, info in below.items() if withdirs or info["type"] == "file"}
        if withdirs and not begins and "/" in path and (below or own):
            found[path] = directory_info(path)
        if not below and not begins and "/" in path and self.isfile(path):
            found[path] = self.info(path)
        names = sorted(found)
        return {name: found[name] for name in names} if detail else names

    def glob(self, path: str, maxdepth: int | None = None, **kwargs: Any) -> Any:
        """
        Return the paths that match; only what begins as the pattern does is listed.

        Keys with an empty component (``a//b``) are left out, with a warning, unless the pattern has one: whoever puts
        the rest of such a path behind another one, as pathlib does, would get to another bucket.
        """
        stripped = paths.strip(path)
        if has_magic(stripped):
            fixed = stripped[: min(stripped.find(each) for each in "*?[" if each in stripped)]
            if "/" in fixed:
                kwargs["prefix"] = fixed.rpartition("/")[2]
        found = super().glob(path, maxdepth, **kwargs)
        return found if "//" in stripped else _without_empty_components(path, found)

    def walk(
        self, path: str, maxdepth: int | None = None, topdown: bool = True, on_error: Any = "omit", **kwargs: Any
    ) -> Iterator[Any]:  # fmt: skip
        """Walk as fsspec does; "omit" leaves out what is gone meanwhile, and nothing else."""
        handle = _raise_unless_missing if on_error == "omit" else on_error
        yield from super().walk(path, maxdepth, topdown, handle, **kwargs)

    def expand_path(self, path: Any, recursive: bool = False, maxdepth: int | None = None, **kwargs: Any) -> Any:
        """Return what the patterns match; a name with a star, a question mark or a bracket goes before a pattern."""
        given = paths.as_given(path)
        given = given if isinstance(given, list) else [given]
        names = {paths.strip(each) for each in given if self._is_name(each)}
        found = {below for name in names if recursive for below in self.find(name, maxdepth, withdirs=True)} | names
        if others := [each for each in given if paths.strip(each) not in names]:
            found.update(super().expand_path(others, recursive, maxdepth, **kwargs))
        return sorted(found)

    def _is_name(self, path: str) -> bool:
        """Whether what looks like a pattern is the name of something that is there."""
        return has_magic(paths.strip(path)) and self.exists(path)

    def du(self, path: str, total: bool = True, maxdepth: int | None = None, **kwargs: Any) -> Any:
        """Return the bytes below, or those of each file."""
        found = self.find(path, maxdepth=maxdepth, detail=True, **kwargs)
        sizes = {name: info["size"] for name, info in found.items()}
        return sum(sizes.values()) if total else sizes

    def exists(self, path: str, **_: Any) -> bool:
        """Whether there is an object of this key, or keys that begin with it and a slash."""
        return self._type(path) is not None

    def isfile(self, path: str) -> bool:
        """Whether there is an object of this key."""
        return self._type(path) == "file"

    def isdir(self, path: str) -> bool:
        """Whether there is no object of this key, and there are keys that begin with it and a slash."""
        return self._type(path) == "directory"

    def _type(self, path: str) -> str | None:
        try:
            return str(self.info(path)["type"])
        except FileNotFoundError:
            return None

    def checksum(self, path: str) -> int:
        """Return a number that stays the same as long as size and ETag do."""
        info = self.info(path)
        return int(tokenize(info["size"], info.get("ETag")), 16)

    def modified(self, path: str) -> datetime:
        """Return when the object was written. Raises FileNotFoundError when there is none."""
        info = self.info(path)
        if info["type"] != "file":
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        time: datetime = info["LastModified"]
        return time

    created = modified  # an object is never changed, another one takes its place

    def sign(self, path: str, expiration: int = 100, **_: Any) -> str:
        """Return a URL with which its holder can read the object for so many seconds."""
        return self._ask(lambda hook: hook.sign_url("GET", paths.uri(paths.strip(path)), expiration))


def is_asked_for(value: object) -> bool:
    """Whether an option wants something: libraries pass None and False for what they do not use (``anon=False``)."""
    return value is not None and value is not False


def _without_empty_components(path: str, found: Found) -> Found:
    """Leave out what no path names, and say so in the log."""
    odd = [name for name in found if _has_empty_component(name)]
    if not odd:
        return found
    log.warning("%s: %d keys with an empty component are left out, such as %s", path, len(odd), odd[0])
    if isinstance(found, dict):
        return type(found)((name, info) for name, info in found.items() if not _has_empty_component(name))
    return type(found)(name for name in found if not _has_empty_component(name))


def _has_empty_component(name: str) -> bool:
    return "//" in f"{name}/"


def _raise_unless_missing(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
