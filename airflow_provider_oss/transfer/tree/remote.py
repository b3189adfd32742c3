"""The objects below a prefix: what of them is compared with files, and what may be deleted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_oss.exceptions import OSSBadResponse
from airflow_provider_oss.model import ListedObject, ObjectPrefix
from airflow_provider_oss.ports import TreeClient
from airflow_provider_oss.transfer.deletion import delete_all
from airflow_provider_oss.transfer.tree.rules import TreeSource
from airflow_provider_oss.transfer.tree.walk import LocalFile

if TYPE_CHECKING:
    from tenacity import Retrying


@dataclass(frozen=True, slots=True)
class Found:
    """What of a listing matters. Names are those below the prefix."""

    same_size: dict[str, str] = field(default_factory=dict)
    """ETags of the objects that have the size of their file."""
    surplus: dict[str, int] = field(default_factory=dict)
    """Bytes of the objects that the selection means and that have no file."""


class RemoteTree:
    """Lists and deletes. ``idle`` is called between two requests, and may raise to stop."""

    def __init__(self, client: TreeClient, retrying: Retrying, target: ObjectPrefix, idle: Callable[[], None]) -> None:
        self._client = client
        self._retrying = retrying
        self._target = target
        self._idle = idle

    def find(self, files: Mapping[str, LocalFile], source: TreeSource) -> Found:
        """Return what is there, of all pages: a listing that is not complete raises."""
        found = Found()
        for listed in self._listed():
            name = self._target.below(listed.ref)
            file = files.get(name)
            if file is not None and file.size_bytes == listed.size_bytes:
                found.same_size[file.relative] = listed.etag
            elif file is None and _may_be_surplus(name) and source.selection.matches(name):
                found.surplus[name] = listed.size_bytes
        return found

    def _listed(self) -> Iterator[ListedObject]:
        token: str | None = ""
        while token is not None:
            self._idle()
            page = self._retrying(self._client.list_objects, self._target.bucket, self._target.prefix, "", token)
            yield from page.items
            token = page.next_token

    def delete(self, surplus: dict[str, int]) -> None:
        """
        Delete these, and take them out of ``surplus`` as OSS reports them deleted.

        Raises OSSBadResponse when it does not report all of them.
        """
        keys = [self._target.ref(name).key for name in surplus]
        for reported in delete_all(self._client, self._retrying, self._target.bucket, keys):
            for key in reported:
                surplus.pop(key[len(self._target.prefix) :], None)
            self._idle()
        if surplus:
            raise OSSBadResponse(
                f"OSS did not report {len(surplus)} objects below {self._target} deleted, among them "
                f"{next(iter(surplus))!r}"
            )


def _may_be_surplus(name: str) -> bool:
    """Whether a file could have this name: what ends with a slash stands for a folder, which files never are."""
    return bool(name) and not name.endswith("/")
