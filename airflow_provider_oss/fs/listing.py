"""Objects as entries of directories. A directory is a prefix that ends with a slash; OSS has none."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from airflow_provider_oss.fs.paths import uri

if TYPE_CHECKING:
    from airflow_provider_oss.hooks.oss import OSSHook
    from airflow_provider_oss.model import ListedObject, ObjectInfo

Info: TypeAlias = dict[str, Any]
"""What fsspec's ``info`` returns; of a file the same whether it was listed or looked at."""


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
