"""
The objects below a prefix: listed as far as they matter, and deleted when their file is gone.

Objects without a file are deleted as many in a request as OSS takes. Whatever their number, memory is bounded.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import Final

from airflow_provider_oss import limits
from airflow_provider_oss.cancellation import obeying
from airflow_provider_oss.engine.retry import Means, Repeating
from airflow_provider_oss.engine.tree.result import Tally
from airflow_provider_oss.engine.tree.shards import MOST_AT_ONCE, TreePieces
from airflow_provider_oss.engine.tree.walk import (
    LocalFile,
    TreeRules,
    TreeSource,
    TreeWalk,
    in_key_order,
    not_here,
)
from airflow_provider_oss.exceptions import (
    ErrorDetails,
    OSSBadResponse,
    OSSInvalidArgument,
    OSSSourceMissing,
    naming_exhaustion,
    seen_elsewhere,
)
from airflow_provider_oss.model import ListedObject, ObjectPrefix, ObjectRef, Page, pages
from airflow_provider_oss.ports import TreeClient
from airflow_provider_oss.shown import MOST_NAMED, Log

log = Log(__name__)

_SHOWN_IN_LOG: Final = 1000
"""Names of each kind that a dry run logs."""

_NAMES_NO_FILE: Final = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)

_NOT_IN_XML: Final = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]")
"""The request's list of keys is XML 1.0, which cannot hold these: a CR would name the key with an LF in its place."""


def delete_all(client: TreeClient, call: Repeating, bucket: str, keys: Sequence[str]) -> Iterator[list[str]]:
    """Delete these objects; yield the keys that OSS reports deleted, missing ones too, after every request."""
    listed = [key for key in keys if not _NOT_IN_XML.search(key)]
    for start in range(0, len(listed), limits.MAX_KEYS_PER_DELETE):
        yield call(client.delete_objects, bucket, listed[start : start + limits.MAX_KEYS_PER_DELETE])
    for key in keys:
        if _NOT_IN_XML.search(key):
            call(client.delete_object, ObjectRef(bucket, key))
            yield [key]


def check_all_deleted(bucket: str, wanted: Sequence[str], reported: Sequence[str]) -> None:
    """Raise OSSBadResponse unless OSS reported all of these deleted: another attempt deletes the rest."""
    done = set(reported)
    if left := [key for key in wanted if key not in done]:
        raise OSSBadResponse(
            f"OSS did not report {len(left)} of {len(wanted)} objects deleted, among them {left[0]!r}",
            ErrorDetails(bucket),
        )


class Surplus:
    """Objects that the selection means and that have no file, by their names below the prefix, with their bytes."""

    def __init__(self, most: int) -> None:
        """Remember up to ``most`` of them."""
        self._most = most
        self._names: dict[str, int] | None = {}
        self.tally = Tally()
        """All of them."""

    def add(self, name: str, size_bytes: int) -> None:
        """Note one more."""
        self.tally = self.tally.plus(size_bytes)
        if self._names is not None:
            self._names[name] = size_bytes
            if len(self._names) > self._most:
                self._names = None

    @property
    def names(self) -> Mapping[str, int] | None:
        """All of them; None when there are more than can be remembered: they have to be listed again."""
        return self._names


class RemoteTree:
    """Lists and deletes. ``idle`` is called between two requests, and may raise to stop."""

    def __init__(self, client: TreeClient, call: Repeating, target: ObjectPrefix, idle: Callable[[], None]) -> None:
        self._client = client
        self._call = call
        self.target = target
        self._idle = idle

    def find(self, files: Mapping[str, LocalFile], source: TreeSource, surplus: Surplus) -> dict[str, str]:
        """
        Return by name the ETags of the objects that have the size of their file; note in ``surplus`` what has no file.

        Of all pages: a listing that is not complete raises.
        """
        same_size = {}
        for listed in self._listed(source):
            name = self.target.below(listed.ref)
            file = files.get(name)
            if file is not None and file.size_bytes == listed.size_bytes:
                same_size[file.relative] = listed.etag
            elif file is None and _may_be_surplus(name, source):
                surplus.add(name, listed.size_bytes)
        return same_size

    def without_file(self, names: Collection[str], source: TreeSource) -> Iterator[tuple[str, int]]:
        """Yield name and bytes of the objects that the selection means and that are none of ``names``."""
        for listed in self._listed(source):
            name = self.target.below(listed.ref)
            if name not in names and _may_be_surplus(name, source):
                yield name, listed.size_bytes

    def _listed(self, source: TreeSource) -> Iterator[ListedObject]:
        """Yield the objects in the shard whose names begin as those that the selection means; ask for few others."""
        between = source.between
        for prefix in source.selection.prefixes:
            if not between.may_begin_with(prefix):
                continue
            start = self._start_after(between.after) if between.after and between.is_after(prefix) else ""
            for page in pages(partial(self._page, prefix, start), "", ErrorDetails(self.target.bucket)):
                names = [self.target.below(listed.ref) for listed in page.items]
                yield from (listed for name, listed in zip(names, page.items, strict=True) if between.contains(name))
                if names and between.is_past(names[-1]):
                    return

    def _page(self, prefix: str, start_after: str, token: str) -> Page[ListedObject]:
        self._idle()
        start = {} if token or not start_after else {"start_after": start_after}
        return self._call(
            self._client.list_objects, self.target.bucket, self.target.prefix + prefix, "", token, **start
        )

    def _start_after(self, name: str) -> str:
        """Return the key, or the beginning of one that is too long to be any."""
        return in_key_order(self.target.prefix + name)[: limits.MAX_KEY_BYTES].decode("utf-8", "ignore")

    def delete(self, names: Collection[str]) -> None:
        """Delete these. Raises OSSBadResponse when OSS does not report all of them deleted."""
        left = set(names)
        keys = [self.target.ref(name).key for name in names]
        for reported in delete_all(self._client, self._call, self.target.bucket, keys):
            left.difference_update(key[len(self.target.prefix) :] for key in reported)
            self._idle()
        if left:
            raise OSSBadResponse(
                f"OSS did not report {len(left)} objects below {self.target} deleted, among them {min(left)!r}"
            )


def _may_be_surplus(name: str, source: TreeSource) -> bool:
    """Whether a file that is meant could have this name: what ends with a slash stands for a folder."""
    return bool(name) and not name.endswith("/") and source.selection.matches(name)


class Told:
    """What a dry run tells of: the first names in the log, the first few of them in the result."""

    def __init__(self, action: str) -> None:
        self._action = action
        self._first: list[str] = []
        self.tally = Tally()

    def add(self, name: str, size_bytes: int) -> None:
        """Tell of one more."""
        self.tally = self.tally.plus(size_bytes)
        if self.tally.count <= MOST_NAMED:
            self._first.append(name)
        if self.tally.count <= _SHOWN_IN_LOG:
            log.info("Would be %s: %s", self._action, name)

    def end(self) -> tuple[str, ...]:
        """Return the first few names; say in the log how many it does not name."""
        if self.tally.count > _SHOWN_IN_LOG:
            log.info("Would be %s: %d more", self._action, self.tally.count - _SHOWN_IN_LOG)
        return tuple(self._first)


class Removal:
    """Deletes objects whose file is gone, a request's worth at a time, or tells what would be deleted."""

    def __init__(self, remote: RemoteTree, directory: str, *, dry_run: bool) -> None:
        self._remote = remote
        self._directory = directory
        self._told = Told("deleted") if dry_run else None
        self.deleted = Tally()
        """What was, or would be."""

    def remove(self, surplus: Iterable[tuple[str, int]]) -> None:
        """
        Delete these, but for those whose file has come up since the directory was read.

        Raises OSSBadResponse when OSS does not report all of them deleted, OSError where it cannot be seen whether
        there is a file.
        """
        left = iter(surplus)
        while listed := dict(islice(left, limits.MAX_KEYS_PER_DELETE)):
            batch = {name: size_bytes for name, size_bytes in listed.items() if not self._has_come_up(name)}
            if self._told is None:
                self._remote.delete(batch)
            for name, size_bytes in batch.items():
                self.deleted = self.deleted.plus(size_bytes)
                if self._told is not None:
                    self._told.add(name, size_bytes)

    def end(self) -> tuple[str, ...]:
        """Return the first names of what would be deleted; without a dry run none."""
        return () if self._told is None else self._told.end()

    def _has_come_up(self, name: str) -> bool:
        if not _may_be_of_a_file(name):
            return False
        try:
            status = os.lstat(os.path.join(self._directory, name))  # noqa: PTH118 - thousands of paths, as text
        except OSError as error:
            if error.errno in _NAMES_NO_FILE:
                return False
            raise
        return not stat.S_ISDIR(status.st_mode)


def _may_be_of_a_file(name: str) -> bool:
    """Whether a file below the directory has this name when it is stored: others lead elsewhere, or nowhere."""
    return not {"", ".", ".."}.intersection(name.split("/")) and "\0" not in name


def check_prefix(target: ObjectPrefix) -> None:
    """Raise OSSInvalidArgument rather than delete from a whole bucket: a template may have left the prefix empty."""
    if not target.prefix:
        raise OSSInvalidArgument(
            f"delete_removed=True with the whole bucket {target.bucket!r} as its target: give key a prefix"
        )


def remove_again(remote: RemoteTree, removal: Removal, pieces: TreePieces, *, is_empty: bool = False) -> None:
    """
    Read the tree and list the objects again, piece by piece, and delete those that have no file.

    Raises what makes a part of the tree unreadable, and OSSInvalidArgument where there is something to delete although
    the tree ``is_empty``.
    """
    for source, tree in pieces:
        for failure in tree.problems:
            raise failure.error
        surplus = remote.without_file({file.relative for file in tree.files}, source)
        if is_empty and next(surplus, None) is not None:
            raise OSSInvalidArgument(
                f"directory={source.directory!r} has no file that include and exclude mean, so delete_removed=True "
                f"would delete all objects below {remote.target}: set allow_empty=True if that is meant"
            )
        removal.remove(surplus)


@dataclass(frozen=True, slots=True)
class Removed:
    """What was deleted, or would be."""

    deleted: Tally
    would_delete: tuple[str, ...]
    """Of a dry run the first names."""


@dataclass(frozen=True, slots=True)
class TreeRemoval:
    """What a tree that was stored by shards does not have, and that is to be deleted now."""

    shards: Sequence[TreeSource]
    """All shards of one directory."""
    target: ObjectPrefix
    means: Means[TreeClient]
    rules: TreeRules = field(default_factory=TreeRules)
    """Of these, whether the tree may be empty, and whether to tell only."""
    most_at_once: int = MOST_AT_ONCE

    def run(self) -> Removed:
        """
        Delete the objects below the prefix that the selection means and the directory does not have, shard by shard.

        Raises OSSInvalidArgument for a whole bucket, and for an empty tree unless that is allowed; OSSSourceElsewhere
        when the directory is missing, or a shard is empty that was planned with files; OSSInvalidSource when it cannot
        be read; and what a listing or a deletion raises.
        """
        check = self.means.cancellation.check
        with obeying(self.means.cancellation), naming_exhaustion():
            check_prefix(self.target)
            is_empty = not self._has_any(check) and not self.rules.allow_empty
            remote = RemoteTree(self.means.client, self.means.call, self.target, check)
            removal = Removal(remote, self.shards[0].directory, dry_run=self.rules.dry_run)
            for source in self.shards:
                pieces = TreePieces(source, check, self.most_at_once)
                if source.has_files and not pieces.total.count:
                    raise not_here(source)
                remove_again(remote, removal, pieces, is_empty=is_empty)
            return Removed(removal.deleted, removal.end())

    def _has_any(self, check: Callable[[], None]) -> bool:
        """Whether there is a file that is meant, or what cannot be read."""
        whole = replace(self.shards[0], shard=None)
        try:
            found = next(TreeWalk(whole, check, is_quiet=True).run(), None)
        except OSSSourceMissing as missing:
            raise seen_elsewhere(f"directory={whole.directory!r}") from missing
        return found is not None
