"""Copying, moving and deleting what is there, inside OSS."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from glob import has_magic
from typing import TYPE_CHECKING, Any

from fsspec.implementations.local import trailing_sep
from fsspec.utils import other_paths

from airflow_provider_oss.exceptions import OSSInvalidArgument, OSSNoSuchKey
from airflow_provider_oss.fs import paths
from airflow_provider_oss.fs.looking import Info, OSSLookingFileSystem

if TYPE_CHECKING:
    from airflow_provider_oss.hooks.oss import OSSHook


class OSSChangingFileSystem(OSSLookingFileSystem):
    """
    Copies inside OSS; deletes 1000 objects a request.

    A directory that is made is one for this process only: nothing is stored. A bucket is never made nor deleted: that
    is more than a path can say.
    """

    def copy(
        self,
        path1: Any,
        path2: Any,
        recursive: bool = False,
        maxdepth: int | None = None,
        on_error: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Copy objects as fsspec's ``copy`` does; ``kwargs`` are those of ``OSSHook.copy_object``."""
        path1, path2 = paths.as_given(path1), paths.as_given(path2)
        for source, target in self._pairs(path1, path2, recursive=recursive, maxdepth=maxdepth):
            try:
                self.cp_file(source, target, **kwargs)
            except OSSNoSuchKey:
                if on_error == "raise" or (on_error is None and not recursive):
                    raise

    def mv(
        self, path1: Any, path2: Any, recursive: bool = False, maxdepth: int | None = None, **kwargs: Any
    ) -> None:  # fmt: skip
        """
        Copy objects, all of them; then delete those that were copied and nothing else.

        Raises FileNotFoundError when nothing is there, and IsADirectoryError for a prefix without ``recursive``.
        """
        path1, path2 = paths.as_given(path1), paths.as_given(path2)
        if not isinstance(path1, list) and paths.strip(path1) == paths.strip(path2):
            self.info(path1)
            return
        copied: list[str] = []
        for source, target in self._pairs(path1, path2, recursive=recursive, maxdepth=maxdepth):
            names = self._copy(source, target, **kwargs)
            if not names and not recursive:
                raise _directory_error(source)
            copied += names
        if not copied and not recursive:
            raise _directory_error(path1)
        self._delete(copied)
        if recursive and not isinstance(path1, list):
            self._forget_made(path1)

    def _pairs(
        self, path1: Any, path2: Any, *, recursive: bool, maxdepth: int | None
    ) -> list[tuple[str, str]]:  # fmt: skip
        """
        Return sources and targets by the rules that fsspec's ``copy`` documents.

        Raises OSSInvalidArgument when one would be overwritten before it is read, or by another one.
        """
        pairs = self._expanded(path1, path2, recursive=recursive, maxdepth=maxdepth)
        moving = [pair for pair in pairs if len(set(pair)) > 1]
        if both := {source for source, _ in moving} & {target for _, target in moving}:
            raise OSSInvalidArgument(
                f"path1={path1!r} and path2={path2!r} overlap: {min(both)!r} would be source and target; go by way of "
                "another prefix"
            )
        check_distinct(pairs)
        return pairs

    def _expanded(
        self, path1: Any, path2: Any, *, recursive: bool, maxdepth: int | None
    ) -> list[tuple[str, str]]:  # fmt: skip
        if isinstance(path1, list) and isinstance(path2, list):
            return list(zip(self._strip_protocol(path1), self._strip_protocol(path2), strict=True))
        sources = self._sources(path1, recursive=recursive, maxdepth=maxdepth)
        if not sources:
            return []
        into = isinstance(path2, str) and (trailing_sep(path2) or self.isdir(path2))
        return self._paired(path1, sources, paths.strip(path2), into=into)

    def _sources(self, path1: Any, *, recursive: bool, maxdepth: int | None) -> list[str]:
        """Return what the path, the pattern or the list of them stands for; a pattern for no directories."""
        sources: list[str] = self.expand_path(path1, recursive=recursive, maxdepth=maxdepth)
        if not isinstance(path1, list) and (not recursive or maxdepth is not None):
            sources = [source for source in sources if not (trailing_sep(source) or self.isdir(source))]
        return sources

    def _paired(self, path1: Any, sources: list[str], target: str, *, into: bool) -> list[tuple[str, str]]:
        """Return the sources with their targets. ``into``: the target is a directory, and what is given goes inside."""
        one = None if isinstance(path1, list) else path1
        is_pattern = one is not None and has_magic(one) and not self._is_name(one)
        return paired(one, sources, target, into=into, is_pattern=is_pattern)

    def cp_file(self, path1: str, path2: str, **kwargs: Any) -> None:
        """Copy one object inside OSS, of a prefix the object that stands for an empty folder, if there is one."""
        self._copy(path1, path2, **kwargs)

    def _copy(self, path1: str, path2: str, **kwargs: Any) -> list[str]:
        """Copy and return what was copied: the object, or that of an empty folder, or nothing of a mere prefix."""
        source, target = paths.strip(path1), paths.strip(path2)
        if source == target or target.startswith(f"{source}/"):
            raise OSSInvalidArgument(f"path2={path2!r} is path1={path1!r} itself, or below it: choose another")
        if "/" not in source or ("/" not in target and self.isdir(source)):
            return []
        try:
            self._ask(lambda hook: hook.copy_object(paths.uri(source), paths.uri(target), **kwargs))
        except OSSNoSuchKey:
            if not self._is_directory(*paths.split(source)):
                raise
        else:
            return [source]
        with suppress(OSSNoSuchKey):
            self._ask(lambda hook: hook.copy_object(paths.uri(f"{source}/"), paths.uri(f"{target}/"), **kwargs))
            return [f"{source}/"]
        return []

    def rm(self, path: Any, recursive: bool = False, maxdepth: int | None = None) -> None:
        """
        Delete objects; with ``recursive`` all below them too.

        Raises FileNotFoundError when nothing is there, IsADirectoryError for a prefix without ``recursive``, and
        OSSInvalidArgument for a whole bucket.
        """
        doomed: list[str] = []
        given = paths.as_given(path)
        for each in given if isinstance(given, list) else [given]:
            for name, info in self._matched(each, recursive=recursive).items():
                if "/" not in name:
                    raise OSSInvalidArgument(f"path={each!r} is a whole bucket, which no path may empty: name prefixes")
                doomed += self._all_of(info, maxdepth) if recursive else [name] if info["type"] == "file" else []
                self._forget_made(name)
        self._delete(doomed)

    def _matched(self, path: str, *, recursive: bool) -> dict[str, Info]:
        """Return the entry of a path, or those that a pattern matches. Raises FileNotFoundError when there is none."""
        if has_magic(paths.strip(path)) and not self._is_name(path):
            if found := self.glob(path, detail=True):
                return dict(found)
            raise FileNotFoundError(errno.ENOENT, "nothing matches", path)
        info = self.info(path)
        if info["type"] == "directory" and not recursive:
            raise _directory_error(path)
        return {info["name"]: info}

    def _all_of(self, info: Info, maxdepth: int | None) -> list[str]:
        """Return every object below an entry, itself, and those that stand for empty folders."""
        name = info["name"]
        if maxdepth is not None:
            return list(self.find(name, maxdepth=maxdepth))
        bucket, key = paths.split(name)
        below = self._ask(lambda hook: [item.ref.key for item in hook.list_objects(paths.uri(f"{bucket}/{key}/"))])
        return [*([name] if info["type"] == "file" else []), *(f"{bucket}/{key}" for key in below)]

    def rm_file(self, path: str) -> None:
        """Delete one object. That it is not there is no error."""
        self._ask(lambda hook: hook.delete_object(paths.uri(paths.strip(path))))

    def _delete(self, names: Iterable[str]) -> None:
        keys: dict[str, list[str]] = {}
        for name in names:
            bucket, key = paths.split(name)
            keys.setdefault(bucket, []).append(key)
        for bucket, doomed in keys.items():
            self._ask(partial(_delete_objects, bucket, doomed))

    def mkdir(self, path: str, *_: Any, **__: Any) -> None:
        """
        Take the path for a directory, in this process, from now on. Of a bucket see that it is there.

        Nothing is stored: a prefix is there as soon as a key begins with it. But who makes a directory and then copies
        into it, as Airflow's ObjectStoragePath does between two connections, asks first whether it is one.
        """
        path = paths.strip(path)
        if "/" in path:
            self._made.add(path)
        elif not self.exists(path):
            raise FileNotFoundError(
                errno.ENOENT, "no such bucket, and none is made for a path: make it with OSSCreateBucketOperator", path
            )

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        """Do as ``mkdir``; without ``exist_ok`` raise FileExistsError for what is there."""
        if not exist_ok and self.exists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
        self.mkdir(path)

    def rmdir(self, path: str) -> None:
        """Delete the object that stands for an empty folder. Raises OSError when the folder is not empty."""
        path = paths.strip(path)
        if self.ls(path):
            raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), path)
        self._delete([f"{path}/"])
        self._forget_made(path)

    def _forget_made(self, path: str) -> None:
        path = paths.strip(path)
        self._made -= {made for made in tuple(self._made) if made == path or made.startswith(f"{path}/")}


def paired(
    one: str | None, sources: list[str], target: str, *, into: bool, is_pattern: bool
) -> list[tuple[str, str]]:  # fmt: skip
    """Return sources with their targets by fsspec's rules; ``one`` is what they stand for, None for a list of them."""
    exists = one is not None and (
        (is_pattern and len(sources) == 1) or (not is_pattern and into and not trailing_sep(one))
    )
    return list(zip(sources, other_paths(sources, target, exists=exists, flatten=one is None), strict=True))


def check_distinct(pairs: Iterable[tuple[str, str]]) -> None:
    """Raise OSSInvalidArgument for two sources of one target: the bytes of one of them would be lost."""
    source_of: dict[str, str] = {}
    for source, target in pairs:
        other = source_of.setdefault(target, source)
        if other != source:
            raise OSSInvalidArgument(
                f"{other!r} and {source!r} would both become {target!r}: give each a target of its own"
            )


def _directory_error(path: str) -> IsADirectoryError:
    return IsADirectoryError(errno.EISDIR, "no object has this key, others begin with it: recursive=True", path)


def _delete_objects(bucket: str, keys: list[str], hook: OSSHook) -> list[str]:
    return hook.delete_objects((f"oss://{bucket}/{key}" for key in keys), bucket)
