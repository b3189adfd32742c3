"""The filesystem of ``oss://``: objects opened, and moved between OSS and this machine."""

from __future__ import annotations

import errno
import os
import posixpath
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fsspec.callbacks import DEFAULT_CALLBACK
from fsspec.compression import compr
from fsspec.core import get_compression
from fsspec.implementations.local import make_path_posix, trailing_sep
from fsspec.utils import isfilelike

from airflow_provider_oss import limits
from airflow_provider_oss.engine.plan import DEFAULT_PART_SIZE_BYTES
from airflow_provider_oss.engine.source import BytesSource, FileSource, path_text, view_of
from airflow_provider_oss.engine.workers import Tasks, left_by
from airflow_provider_oss.exceptions import OSSInvalidArgument, OSSNoSuchKey, OSSRequestRejected
from airflow_provider_oss.fs import paths
from airflow_provider_oss.fs.changing import OSSChangingFileSystem, check_distinct, paired
from airflow_provider_oss.fs.files import CompressedWriter, OSSReader, OSSWriter, PushedUpload, TextWriter
from airflow_provider_oss.fs.looking import READING_OPTIONS, is_asked_for
from airflow_provider_oss.fs.paths import OwnFiles, check_inside
from airflow_provider_oss.hooks import DEFAULT_CONN_ID
from airflow_provider_oss.options import ObjectOptionArguments, parse_options

if TYPE_CHECKING:
    from airflow_provider_oss.hooks.oss import OSSHook

_TEXT_ARGUMENTS = ("encoding", "errors", "newline")
_WITHOUT_EFFECT = frozenset({"fill_cache", "default_fill_cache"})
"""What s3fs takes that changes nothing of what is read."""
_READING_ARGUMENTS = _WITHOUT_EFFECT | READING_OPTIONS | {"cache_type", "default_cache", "size"}
"""What files are opened with for writing too, where it says nothing."""


class OSSFileSystem(OSSChangingFileSystem):
    """
    Alibaba Cloud OSS through an Airflow connection, which is read on first use.

    Paths are ``bucket/key``, ``oss://bucket/key`` or ``oss://conn_id@bucket/key``; everything behind the first slash is
    the key. What is written is there whole or not at all: see OSSWriter; for what is not there, see
    OSSLookingFileSystem. Writing takes the arguments of ``OSSHook.upload_stream``: part_size, parallel, mime, meta,
    headers, acl, storage_class, tags.

    :param oss_conn_id: id of the Airflow connection.
    :param region: goes before the connection's region.
    :param default_block_size: bytes that files read ahead unless they are opened otherwise: 8 MiB.
    :param default_cache_type: how, by fsspec's name: "readahead", "none", "bytes", "mmap", "blockcache", ...
    """

    blocksize = OSSReader.DEFAULT_BLOCK_SIZE

    def __init__(self, oss_conn_id: str = DEFAULT_CONN_ID, region: str | None = None, **storage_options: Any) -> None:
        super().__init__(oss_conn_id, region, **storage_options)
        self._hooks: dict[int, OSSHook] = {}
        self._lock = threading.Lock()

    @property
    def hook(self) -> OSSHook:
        """The hook; a process that was forked gets its own, for connections cannot be shared."""
        from airflow_provider_oss.hooks.oss import OSSHook

        with self._lock:
            hook = self._hooks.get(os.getpid())
            if hook is None:
                hook = OSSHook(self.oss_conn_id, region=self.region)
                self._hooks = {os.getpid(): hook}
            return hook

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
            binary = self.open(path, binary_mode, block_size, cache_options, compression, **kwargs)
            return _or_discarded(binary, lambda: TextWriter(binary, **text))
        file = super().open(path, mode, block_size, cache_options, **kwargs)
        codec = None if compression is None else get_compression(path, compression)
        if codec is None:
            return file
        if mode == "rb":
            return compr[codec](file, mode="r")
        return _or_discarded(file, lambda: CompressedWriter(file, compr[codec](file, mode="w")))

    def _open(
        self,
        path: str,
        mode: str = "rb",
        block_size: int | None = None,
        autocommit: bool = True,
        cache_options: Any = None,
        **kwargs: Any,
    ) -> OSSReader | OSSWriter:
        asked = {name: value for name, value in kwargs.items() if is_asked_for(value)}
        if mode == "rb":
            return self._reader(path, block_size, cache_options=cache_options, **asked)
        if mode not in ("wb", "xb"):
            raise OSSInvalidArgument(f"mode={mode!r} is not offered: an object is read (r) or written anew (w, x)")
        if mode == "xb":
            self._check_missing(path)
        options = {name: value for name, value in asked.items() if name not in _READING_ARGUMENTS}
        return OSSWriter(self, path, mode, self._upload(path, mode, **options), autocommit=autocommit)

    def _reader(
        self,
        path: str,
        block_size: Any,
        default_block_size: int | None = None,
        cache_type: str | None = None,
        default_cache_type: str | None = None,
        default_cache: str | None = None,
        **kwargs: Any,
    ) -> OSSReader:
        """Open for reading; what is said of this file goes before what is said of the filesystem."""
        wanted = (block_size, default_block_size, self.default_block_size)
        size_bytes = next((one for one in wanted if one not in (None, "default")), None)
        cache_type = cache_type or default_cache_type or default_cache or self.default_cache_type
        unused = {name: value for name, value in kwargs.items() if name not in _WITHOUT_EFFECT}
        return OSSReader(self, path, size_bytes, cache_type=cache_type or OSSReader.DEFAULT_CACHE_TYPE, **unused)

    def _upload(
        self,
        path: str,
        mode: str,
        part_size: int | None = None,
        parallel: int = limits.DEFAULT_PARALLEL,
        **options: Any,
    ) -> PushedUpload:
        if unknown := sorted(options.keys() - ObjectOptionArguments.__annotations__.keys()):
            raise OSSInvalidArgument(
                f"{unknown[0]} is not offered for writing: part_size, parallel and "
                f"{', '.join(ObjectOptionArguments.__annotations__)} are; leave {unknown[0]} out"
            )
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
        tasks = Tasks(limits.DEFAULT_PARALLEL, "oss-range-reader")
        with left_by(tasks.leave):
            reads = [tasks.submit(partial(read, *each)) for each in zip(paths, starts, ends, strict=True)]
            return [each.result(self.hook.cancellation.check) for each in reads]

    def pipe(self, path: Any, value: Any = None, **kwargs: Any) -> None:
        """Store bytes under a path, or those of a mapping of paths."""
        super().pipe(path if isinstance(path, dict) else paths.as_given(path), value, **kwargs)

    def pipe_file(self, path: str, value: Any, mode: str = "overwrite", **kwargs: Any) -> None:
        """Store bytes; with mode "create" raise FileExistsError when another object is there."""
        if self._intrans:
            super().pipe_file(path, value, mode, **kwargs)
            return
        options = self._options(path, mode, kwargs)
        data = BytesSource(view_of(value))
        self._ask(lambda hook: hook.upload_source(paths.uri(paths.strip(path)), data, **options))

    def put(
        self,
        lpath: Any,
        rpath: Any,
        recursive: bool = False,
        callback: Any = DEFAULT_CALLBACK,
        maxdepth: int | None = None,
        **kwargs: Any,
    ) -> None:
        """
        Upload as fsspec's ``put`` does; a file whose name has a star, a question mark or a bracket is that file.

        Raises OSSInvalidArgument, before anything is uploaded, when two files would be one object.
        """
        pairs = self._upload_pairs(paths.as_given(lpath), paths.as_given(rpath), recursive=recursive, maxdepth=maxdepth)
        super().put([source for source, _ in pairs], [target for _, target in pairs], callback=callback, **kwargs)

    def _upload_pairs(
        self, lpath: Any, rpath: Any, *, recursive: bool, maxdepth: int | None
    ) -> list[tuple[str, str]]:  # fmt: skip
        if isinstance(lpath, list) and isinstance(rpath, list):
            return list(zip(lpath, rpath, strict=True))
        is_one = not isinstance(lpath, list)
        given = [make_path_posix(lpath)] if is_one else lpath
        sources = paths.expand(given, recursive=recursive, maxdepth=maxdepth)
        if is_one and (not recursive or maxdepth is not None):
            sources = [source for source in sources if not Path(source).is_dir()]
        if isinstance(rpath, list):
            return list(zip(sources, rpath, strict=True))
        if not sources:
            return []
        into = trailing_sep(rpath) or self.isdir(rpath)
        is_pattern = is_one and paths.is_pattern(given[0])
        pairs = paired(given[0] if is_one else None, sources, paths.strip(rpath), into=into, is_pattern=is_pattern)
        check_distinct((source, target) for source, target in pairs if not Path(source).is_dir())
        return pairs

    def put_file(
        self, lpath: str, rpath: str, callback: Any = DEFAULT_CALLBACK, mode: str = "overwrite", **kwargs: Any
    ) -> None:
        """Store a file as OSSHook.upload_file does: in parallel parts, compared with it."""
        if Path(lpath).is_dir():
            return
        if self._intrans:
            self._put_in_transaction(lpath, rpath, callback, mode, **kwargs)
            return
        options = self._options(rpath, mode, kwargs)
        size = Path(lpath).stat().st_size
        callback.set_size(size)

        def report(fraction: float, *_: object) -> None:
            callback.absolute_update(round(fraction * size))

        result = self._ask(
            lambda hook: hook.upload_file(paths.uri(paths.strip(rpath)), lpath, progress=report, **options)
        )
        callback.set_size(result.size)  # what it had to its end, which is what it said of itself but for /proc and /sys
        callback.absolute_update(result.size)

    def _put_in_transaction(self, lpath: str, rpath: str, callback: Any, mode: str, **kwargs: Any) -> None:
        """Write a file as it is when it is put: to its end, whatever its size says, and only if it does not change."""
        if mode == "create":
            self._check_missing(rpath)
        with (
            closing(FileSource(path_text(lpath, "lpath")).open()) as source,
            self.open(rpath, "wb", **kwargs) as target,
        ):
            callback.set_size(len(source.whole()))
            for block in source.whole().blocks():
                target.write(block)
                callback.relative_update(len(block))
            source.check_unchanged()

    def _options(self, path: str, mode: str, given: dict[str, Any]) -> dict[str, Any]:
        if mode != "create":
            return given
        self._check_missing(path)
        return given | {"forbid_overwrite": True}

    def _check_missing(self, path: str) -> None:
        """Raise FileExistsError. OSS decides when the object is made; an upload takes one that is equal for its own."""
        if self.exists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)

    def get(
        self,
        rpath: Any,
        lpath: Any,
        recursive: bool = False,
        callback: Any = DEFAULT_CALLBACK,
        maxdepth: int | None = None,
        **kwargs: Any,
    ) -> None:
        """
        Download as fsspec's ``get`` does; a name with a star, a question mark or a bracket goes before a pattern.

        Raises OSSInvalidArgument, before anything is downloaded, when two objects would be one file, or when one would
        be written outside ``lpath``: see ``check_inside``. Where each has been given a path of its own, that is taken.
        """
        rpath, lpath = paths.as_given(rpath), paths.as_given(lpath)
        pairs = self._download_pairs(rpath, lpath, recursive=recursive, maxdepth=maxdepth)
        own = OwnFiles()
        callback.set_size(len(pairs))
        for source, target in callback.wrap(pairs):
            with own.writing(source, target), callback.branched(source, target) as child:
                self.get_file(source, target, callback=child, **kwargs)

    def _download_pairs(
        self, rpath: Any, lpath: Any, *, recursive: bool, maxdepth: int | None
    ) -> list[tuple[str, Any]]:  # fmt: skip
        if isinstance(lpath, list):
            sources = rpath if isinstance(rpath, list) else self._sources(rpath, recursive=recursive, maxdepth=maxdepth)
            return list(zip(sources, lpath, strict=True))
        sources = self._sources(rpath, recursive=recursive, maxdepth=maxdepth)
        root = make_path_posix(lpath)
        into = trailing_sep(os.fspath(lpath)) or Path(root).is_dir()
        pairs = self._paired(rpath, sources, root, into=into) if sources else []
        check_inside(root, pairs)
        # A name with a slash at its end is a directory, of which two may be one
        check_distinct((source, posixpath.normpath(target)) for source, target in pairs if not source.endswith("/"))
        return pairs

    def get_file(
        self, rpath: str, lpath: Any, callback: Any = DEFAULT_CALLBACK, outfile: Any = None, **kwargs: Any
    ) -> None:
        """Write an object to a file as OSSHook.download_file does: whole or not at all. A prefix is a directory."""
        if outfile is not None or isfilelike(lpath):
            self._read_into(lpath if isfilelike(lpath) else outfile, rpath, callback, **kwargs)
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

    def _read_into(self, file: Any, path: str, callback: Any, **kwargs: Any) -> None:
        """Write an object to a file that is open."""
        with self.open(path, **kwargs) as reader:
            callback.set_size(reader.size)
            while data := reader.read(self.blocksize):
                file.write(data)
                callback.relative_update(len(data))


def _or_discarded(file: Any, wrap: Callable[[], Any]) -> Any:
    """Return what wraps the file; where that fails, nobody else can close it."""
    try:
        return wrap()
    except BaseException:
        if isinstance(file, OSSWriter | CompressedWriter):
            file.discard()
        raise
