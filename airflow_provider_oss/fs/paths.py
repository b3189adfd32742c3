"""Paths of the filesystem, ``bucket/key``, and the addresses they come from. Pure."""

from __future__ import annotations

from fsspec.utils import stringify_path

from airflow_provider_oss.uri import SCHEME


def strip(path: object) -> str:
    """
    Return ``bucket/key`` for ``oss://bucket/key``, ``oss://conn_id@bucket/key``, or a path that is stripped already.

    Nothing is unescaped. Slashes at the end are left out: what is listed by a name is found by it. Before the bucket
    too: older versions of universal_pathlib put one there.
    """
    text = _without_scheme(path)
    bucket, slash, key = text.partition("/")
    return f"{bucket.rpartition('@')[2]}{slash}{key}".rstrip("/")


def conn_id_of(url: object) -> str | None:
    """Return the connection that ``oss://conn_id@bucket/key`` names, None if it names none."""
    bucket = _without_scheme(url).partition("/")[0]
    return bucket.rpartition("@")[0] or None


def _without_scheme(path: object) -> str:
    return str(stringify_path(path)).removeprefix(SCHEME).removeprefix("oss::").lstrip("/")


def split(path: str) -> tuple[str, str]:
    """Return bucket and key; both may be empty."""
    bucket, _, key = path.partition("/")
    return bucket, key


def uri(path: str) -> str:
    """Return the address that the hook takes for an object: everything behind the bucket is its key."""
    return f"{SCHEME}{path}"
