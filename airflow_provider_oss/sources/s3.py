"""Ranges of S3 objects, on condition that the object is still the same: s3fs itself reads whatever is there now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from s3fs import S3FileSystem


class ObjectReplacedError(Exception):
    """The object has another ETag by now."""


def is_s3(fs: Any) -> bool:
    """Whether the filesystem is s3fs."""
    return type(fs).__module__.startswith("s3fs.")


def read_range(fs: S3FileSystem, path: str, etag: str, start: int, end: int) -> bytes:
    """
    Return bytes ``start`` to ``end`` (excluded) of the object that has this ETag. For use by several threads at once.

    Raises ObjectReplacedError when it has another by now; else what s3fs raises.
    """
    from fsspec.asyn import sync

    bucket, key, version_id = fs.split_path(path)
    version = {"VersionId": version_id} if version_id else {}

    async def read() -> bytes:
        answer = await fs._call_s3(  # noqa: SLF001 - the way to send a condition that s3fs has no argument for
            "get_object", Bucket=bucket, Key=key, Range=f"bytes={start}-{end - 1}", IfMatch=etag, **version
        )
        async with answer["Body"] as body:
            data: bytes = await body.read()
            return data

    try:
        return sync(fs.loop, read)  # type: ignore[no-any-return]  # fsspec has no types
    except OSError as error:
        if _code(error) == "PreconditionFailed":
            raise ObjectReplacedError from error
        raise


def _code(error: OSError) -> str | None:
    """Return S3's own word for an error that s3fs has turned into Python's."""
    response = getattr(error.__cause__, "response", None) or {}
    code: str | None = response.get("Error", {}).get("Code")
    return code
