"""The filesystem of ``oss://``: objects opened, and moved between OSS and this machine."""

from __future__ import annotations

import errno
import os
import posixpath
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fsspec.callbacks import DEFAULT_CALLBACK
from fsspec.compression import compr
from fsspec.core import get_compression
from fsspec.utils import isfilelike

from airflow_provider_oss import limits
from airflow_provider_oss.exceptions import OSSInvalidArgument, OSSNoSuchKey, OSSRequestRejected
from airflow_provider_oss.fs import paths
from airflow_provider_oss.fs.changing import OSSChangingFileSystem, check_distinct
from airflow_provider_oss.fs.pushed import PushedUpload
from airflow_provider_oss.fs.reading import OSSReader
from airflow_provider_oss.fs.writing import CompressedWriter, OSSWriter, TextWriter
from airflow_provider_oss.options import parse_options
from airflow_provider_oss.transfer.plan import DEFAULT_PART_SIZE_BYTES
from airflow_provider_oss.transfer.source import BytesSource

_TEXT_ARGUMENTS = ("encoding", "errors", "newline")


class OSSFileSystem(OSSChangingFileSystem):
    """
    Alibaba Cloud OSS through an Airflow connection, which is read on first use.

    Paths are ``bucket/key``, ``oss://bucket/key`` or ``oss://conn_id@bucket/key``; everything behind the first slash is
    the key. What is written is there whole or not at all: see OSSWriter; for what is not there, see
    OSSLookingFileSystem. Writing takes the arguments of ``OSSHook.upload_stream``: part_size, parallel, mime, meta,
    headers, acl, storage_class, tags.

    :param oss_conn_id: id of the Airflow connection.
    :param region: goes before the connection's region.
    """

    blocksize = OSSReader.DEFAULT_BLOCK_SIZE

    def open(
        self,
        path: str,
        mode: str = "rb",
        block_size: int | None = None,
        cache_options: Any = None,
        compression: str | None = None,
        **kwargs: Any,
    ) -> Any:
        """
        Open an object for reading ("r") or writing ("w"; "x" fails with FileExistsError when there is one already).

        Compressed or as text, it is still made or given up as a whole. Raises OSSInvalidArgument for other modes: OSS
        stores an object as a whole.
        """
        if "b" not in mode:
            text = {name: kwargs.pop(name) for name in _TEXT_ARGUMENTS if name in kwargs}
            binary_mode = mode.replace("t", "") + "b"
            return TextWriter(self.open(path, binary_mode, block_size, cache_options, compression, **kwargs), **text)
        file = super().open(path, mode, block_size, cache_options, **kwargs)
        codec = None if compression is None else get_compression(path, compression)
        if codec is None:
            return file
        if mode == "rb":
            return compr[codec](file, mode="r")
        return CompressedWriter(file, compr[codec](file, mode="w"))

    def _open(
        self,
        path: str,
        mode: str = "rb",
        block_size: int | None = None,
        autocommit: bool = True,
        cache_options: Any = None,
        **kwargs: Any,
    ) -> OSSReader | OSSWriter:
        if mode == "rb":
            return OSSReader(self, path, block_size, cache_options=cache_options, **kwargs)
        if mode not in ("wb", "xb"):
            raise OSSInvalidArgument(f"mode={mode!r} is not offered: an object is read (r) or written anew (w, x)")
        if mode == "xb":
            self._check_missing(path)
        return OSSWriter(self, path, mode, self._upload(path, mode, **kwargs), autocommit=autocommit)

    def _upload(
        self,
        path: str,
        mode: str,
        part_size: int | None = None,
        parallel: int = limits.DEFAULT_PARALLEL,
        **options: Any,
    ) -> PushedUpload:
        options = {name: value for name, value in options.items() if name not in ("cache_type", "size")}
        options["forbid_overwrite"] = mode == "xb" or options.get("forbid_overwrite", False)
        parse_options(**options)  # what is wrong is said now, not when all is written
        hook, address = self.hook, paths.uri(path)
        hook.connect()
        return PushedUpload(
            lambda source, cancellation: hook.upload_source(
                address, source, part_size=part_size, parallel=parallel, cancellation=cancellation, **options
            ),
            part_size or DEFAULT_PART_SIZE_BYTES,
            f"what is written to {address}",
        )

    def read_range(self, path: str, start: int, end: int | None, etag: str | None = None) -> bytes:
        """Return the bytes from ``start`` to before ``end``; no bytes behind the object. See OSSHook.read_object."""
        last = None if end is None else end - 1
        whole = start == 0 and end is None
        byte_range = None if whole else (start, last)
        try:
            return self._ask(lambda hook: hook.read_object(paths.uri(path), None, byte_range, etag))
        except OSSRequestRejected as error:
            if error.details.http_status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                return b""
            raise

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **_: Any) -> bytes:
        """Return an object's bytes, or a slice of them, by one request; whole they have the right CRC-64."""
        path, etag = paths.strip(path), None
        if (start or 0) < 0 or (end or 0) < 0:
            info = self.info(path)
            size, etag = info["size"], info.get("ETag")
            start, end, _step = slice(start, end).indices(size)
        start = start or 0
        return b"" if end is not None and end <= start else self.read_range(path, start, end, etag)

    def cat_ranges(
        self,
        paths: Sequence[str],
        starts: Any,
        ends: Any,
        max_gap: int | None = None,
        on_error: str = "return",
        **kwargs: Any,
    ) -> list[Any]:
        """Return a slice of each path, five at a time; with "return" the error in place of what failed."""
        if max_gap is not None:
            raise NotImplementedError("max_gap is not offered: each range is a request")
        starts = starts if isinstance(starts, Sequence) else [starts] * len(paths)
        ends = ends if isinstance(ends, Sequence) else [ends] * len(paths)
        if not len(paths) == len(starts) == len(ends):
            raise ValueError(
                f"paths has {len(paths)} items, starts {len(starts)} and ends {len(ends)}: give one start and one end "
                "for each path, or a number for all"
            )

        def read(path: str, start: int | None, end: int | None) -> Any:
            try:
                return self.cat_file(path, start, end, **kwargs)
            except Exception as error:
                if on_error == "return":
                    return error
                raise

        self.hook.connect()
        with ThreadPoolExecutor(limits.DEFAULT_PARALLEL) as threads:
            return list(threads.map(read, paths, starts, ends))

    def pipe_file(self, path: str, value: Any, mode: str = "overwrite", **kwargs: Any) -> None:
        """Store bytes; with mode "create" raise FileExistsError when another object is there."""
        if self._intrans:
            super().pipe_file(path, value, mode, **kwargs)
            return
        options = self._options(path, mode, kwargs)
        data = memoryview(value).cast("B")
        self._ask(lambda hook: hook.upload_source(paths.uri(paths.strip(path)), BytesSource(data), **options))

    def put_file(
        self, lpath: str, rpath: str, callback: Any = DEFAULT_CALLBACK, mode: str = "overwrite", **kwargs: Any
    ) -> None:
        """Store a file as OSSHook.upload_file does: in parallel parts, compared with it."""
        if Path(lpath).is_dir():
            return
        if self._intrans:
            super().put_file(lpath, rpath, callback, mode, **kwargs)
            return
        options = self._options(rpath, mode, kwargs)
        size = Path(lpath).stat().st_size
        callback.set_size(size)

        def report(fraction: float, *_: object) -> None:
            callback.absolute_update(round(fraction * size))

        self._ask(lambda hook: hook.upload_file(paths.uri(paths.strip(rpath)), lpath, progress=report, **options))

    def _options(self, path: str, mode: str, given: dict[str, Any]) -> dict[str, Any]:
        if mode != "create":
            return given
        self._check_missing(path)
        return given | {"forbid_overwrite": True}

    def _check_missing(self, path: str) -> None:
        """Raise FileExistsError. OSS decides when the object is made; an upload takes one that is equal for its own."""
        if self.exists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)

    def get(self, rpath: Any, lpath: Any, recursive: bool = False, **kwargs: Any) -> None:
        """
        Download as fsspec's ``get`` does; a name with a star, a question mark or a bracket goes before a pattern.

        Raises OSSInvalidArgument, before anything is downloaded, when two objects would be one file.
        """
        if isinstance(rpath, str) and isinstance(lpath, str) and self._is_name(rpath) and self.isfile(rpath):
            into = lpath.endswith(os.sep) or Path(lpath).is_dir()
            lpath = [str(Path(lpath, paths.strip(rpath).rpartition("/")[2])) if into else lpath]
            rpath = [rpath]
        if not isinstance(lpath, list) and (recursive or isinstance(rpath, list)):
            names = self.expand_path(rpath, recursive, kwargs.get("maxdepth"))
            # Those of a list lie side by side. A name with a slash at its end is a directory
            file_name = posixpath.basename if isinstance(rpath, list) else posixpath.normpath
            check_distinct((name, file_name(name)) for name in names if not name.endswith("/"))
        super().get(rpath, lpath, recursive, **kwargs)

    def get_file(
        self, rpath: str, lpath: Any, callback: Any = DEFAULT_CALLBACK, outfile: Any = None, **kwargs: Any
    ) -> None:
        """Write an object to a file as OSSHook.download_file does: whole or not at all. A prefix is a directory."""
        if outfile is not None or isfilelike(lpath):
            super().get_file(rpath, lpath, callback=callback, outfile=outfile, **kwargs)
            return
        target, source = Path(lpath), paths.strip(rpath)
        if "/" not in source:
            target.mkdir(parents=True, exist_ok=True)
            return
        if target.is_dir() and self.isdir(source):
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            info = self._ask(lambda hook: hook.download_file(paths.uri(source), os.fspath(lpath)))
        except OSSNoSuchKey:
            if not self.isdir(source):
                raise
            target.mkdir(parents=True, exist_ok=True)
        else:
            callback.set_size(info.size_bytes)
            callback.absolute_update(info.size_bytes)
