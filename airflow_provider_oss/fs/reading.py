"""An object being read."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

from fsspec.spec import AbstractBufferedFile

from airflow_provider_oss import limits
from airflow_provider_oss.exceptions import OSSInvalidArgument

if TYPE_CHECKING:
    from airflow_provider_oss.fs.filesystem import OSSFileSystem

_ARGUMENTS = frozenset({"cache_type", "cache_options", "size"})


class OSSReader(AbstractBufferedFile):  # type: ignore[misc]  # fsspec has no types
    """
    Reads ranges, ahead of what is asked for, of the object that was there when it was opened.

    Raises OSSSourceChanged when the object has been replaced meanwhile: bytes of two objects are never mixed. Raises
    FileNotFoundError when there is none, OSSInvalidArgument for an argument that would have no effect, such as
    ``version_id``.

    :param block_size: bytes read ahead; 8 MiB when None or negative.
    """

    DEFAULT_BLOCK_SIZE = 8 * limits.MIB

    def __init__(self, fs: OSSFileSystem, path: str, block_size: int | None, **kwargs: Any) -> None:
        unknown = sorted(kwargs.keys() - _ARGUMENTS)
        if unknown:
            raise OSSInvalidArgument(
                f"{unknown[0]} is not offered for reading: an object is read as it is now; leave {unknown[0]} out"
            )
        info = fs.info(path)
        if info["type"] != "file":
            raise IsADirectoryError(errno.EISDIR, "no object has this key, others begin with it and a slash", path)
        if block_size is not None and block_size < 0:  # as in Python's own open(): the default
            block_size = None
        self._etag = info["ETag"]
        super().__init__(fs, path, "rb", block_size, **kwargs | {"size": info["size"]})
        self.details = info

    def _fetch_range(self, start: int, end: int) -> bytes:
        return self.fs.read_range(self.path, start, end, self._etag) if end > start else b""
