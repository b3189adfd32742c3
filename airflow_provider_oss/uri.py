"""``oss://bucket/key`` to ObjectRef and back. Parsed by hand: a key may hold ``#``, ``?`` and ``%`` as they are."""

from typing import Any, Final

from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.model import KeyPrefix, ObjectPrefix, ObjectRef

SCHEME: Final = "oss://"


def parse_oss_uri(uri: str) -> ObjectRef:
    """
    Return what ``oss://bucket/key`` names: everything behind the first slash is the key, nothing is unescaped.

    Raises OSSInvalidArgument when it is no such URI, or when OSS would refuse the bucket or the key.
    """
    if not uri.startswith(SCHEME):
        raise OSSInvalidArgument(f"{uri!r} is no OSS address: it must look like oss://bucket/key")
    bucket, slash, key = uri.removeprefix(SCHEME).partition("/")
    if not slash or not key:
        raise OSSInvalidArgument(f"{uri!r} names no key: it must look like oss://bucket/key")
    return ObjectRef(bucket, key)


def resolve(key: str, bucket_name: str | None, default_bucket: str | None) -> ObjectRef:
    """
    Return the object that a user means by ``key``, which may be a whole ``oss://bucket/key``.

    Raises OSSInvalidArgument when no bucket is named anywhere, when ``key`` and ``bucket_name`` name two, or for what
    is no text or has a NUL character: no listing in XML could show it.
    """
    _check_text("key", key)
    if bucket_name is not None:
        _check_text("bucket_name", bucket_name)
    if key.startswith(SCHEME):
        ref = parse_oss_uri(key)
        _check_only_bucket(key, ref.bucket, bucket_name)
        return ref
    return ObjectRef(_bucket_for(key, bucket_name, default_bucket), key)


def resolve_prefix(key: str, bucket_name: str | None, default_bucket: str | None) -> ObjectPrefix:
    """
    Return what a user means by ``key`` as a prefix: with a slash at its end if it has none; "" is the whole bucket.

    Raises OSSInvalidArgument as ``resolve`` does.
    """
    bucket, prefix = _bucket_and_prefix("key", key, bucket_name, default_bucket)
    return ObjectPrefix(bucket, prefix if not prefix or prefix.endswith("/") else f"{prefix}/")


def resolve_key_prefix(prefix: str, bucket_name: str | None, default_bucket: str | None) -> KeyPrefix:
    """
    Return what a user means by ``prefix``, taken as it is, which may be a whole ``oss://bucket/prefix``.

    Raises OSSInvalidArgument as ``resolve`` does.
    """
    return KeyPrefix(*_bucket_and_prefix("prefix", prefix, bucket_name, default_bucket))


def _bucket_and_prefix(name: str, prefix: str, bucket_name: str | None, default_bucket: str | None) -> tuple[str, str]:
    _check_text(name, prefix)
    if bucket_name is not None:
        _check_text("bucket_name", bucket_name)
    if not prefix.startswith(SCHEME):
        return _bucket_for(prefix, bucket_name, default_bucket, name), prefix
    bucket, _, below = prefix.removeprefix(SCHEME).partition("/")
    _check_only_bucket(prefix, bucket, bucket_name, name)
    return bucket, below


def _check_only_bucket(key: str, bucket: str, bucket_name: str | None, name: str = "key") -> None:
    if bucket_name and bucket_name != bucket:
        raise OSSInvalidArgument(f"{name}={key!r} and bucket_name={bucket_name!r} name two buckets: give only one")


def _bucket_for(key: str, bucket_name: str | None, default_bucket: str | None, name: str = "key") -> str:
    bucket = bucket_name or default_bucket
    if not bucket:
        raise OSSInvalidArgument(
            f"no bucket for {name}={key!r}: give bucket_name, or {name} as oss://bucket/{name}, or set the "
            "connection's schema"
        )
    return bucket


def _check_text(name: str, value: Any) -> None:
    if not isinstance(value, str):
        raise OSSInvalidArgument(f"{name}={value!r} is a {type(value).__name__}: give text")
    if "\0" in value:
        raise OSSInvalidArgument(f"{name}={value!r} has a NUL character: remove it")
