"""
Addresses: ``oss://bucket/key`` to ObjectRef and back, and what of a URL is secret or may be shown. Pure.

An address is parsed by hand: a key may hold ``#``, ``?`` and ``%`` as they are. Of a URL, user name, password and query
may be secrets, and so is what makes a presigned one valid.
"""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.model import KeyPrefix, ObjectPrefix, ObjectRef, is_bucket_name
from airflow_provider_oss.shown import a_type

SCHEME: Final = "oss://"

_ADDRESS: Final = re.compile(
    r"(?P<scheme>\s*[A-Za-z][A-Za-z0-9+.-]+:/{1,2})(?:[^/]*@)?(?P<host>[^/?#]*)(?P<slash>/?)(?P<path>[^?#]*)"
)
"""``scheme://host/path``, also with one slash, which is what pathlib makes of it."""
_OSS_HOST: Final = re.compile(r"(?P<bucket>[a-z0-9-]+)\.[a-z0-9.-]+\.aliyuncs\.com(?::\d+)?")
_OSS_HOST_AND_PATH: Final = re.compile(rf"(?P<scheme>\s*)(?P<host>{_OSS_HOST.pattern})(?P<slash>/)(?P<path>[^?#]*)")


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


def resolve(key: str, bucket_name: str | None, default_bucket: str | None, *, storing: bool = False) -> ObjectRef:
    """
    Return the object that a user means by ``key``, which may be a whole ``oss://bucket/key``.

    Raises OSSInvalidArgument when no bucket is named anywhere, when ``key`` and ``bucket_name`` name two, or for what
    is no text or has a NUL character: no listing in XML could show it. When ``storing``, so it does for the address of
    something else (``s3://exports/a``, ``OSS://exports/a``): it would become an object of that name in some bucket.
    """
    _check_text("key", key)
    if bucket_name is not None:
        _check_text("bucket_name", bucket_name)
    if key.startswith(SCHEME):
        ref = parse_oss_uri(key)
        _check_only_bucket(key, ref.bucket, bucket_name)
        return ref
    if storing:
        _check_no_address(key)
    return ObjectRef(_bucket_for(key, bucket_name, default_bucket), key)


def resolve_prefix(
    key: str, bucket_name: str | None, default_bucket: str | None, *, storing: bool = False
) -> ObjectPrefix:
    """
    Return what a user means by ``key`` as a prefix: with a slash at its end if it has none; "" is the whole bucket.

    Raises OSSInvalidArgument as ``resolve`` does.
    """
    if storing and isinstance(key, str) and not key.startswith(SCHEME):
        _check_no_address(key)
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


def _check_no_address(key: str) -> None:
    """Refuse what is no name of an object; the text shows neither user nor query, which may be secrets."""
    found = _OSS_HOST_AND_PATH.match(key) or _ADDRESS.match(key)
    if found is None:
        return
    shown = "".join(found.group("scheme", "host", "slash", "path"))
    meant = _meant(found["host"], found["path"])
    raise OSSInvalidArgument(
        f"key={shown!r} is an address, not the name of an object: did you mean {meant!r}? "
        "To store an object of just this name, write its whole address, oss://bucket/ before it"
    )


def _meant(host: str, path: str) -> str:
    """Return the key that was probably meant by an address that is not of OSS's form."""
    if bucket := _OSS_HOST.fullmatch(host):
        return f"{SCHEME}{bucket['bucket']}/{unquote(path)}"
    return f"{SCHEME}{host}/{path}" if is_bucket_name(host) else path or host


def _check_text(name: str, value: Any) -> None:
    if not isinstance(value, str):
        raise OSSInvalidArgument(f"{name}={value!r} is {a_type(value)}: give text")
    if "\0" in value:
        raise OSSInvalidArgument(f"{name}={value!r} has a NUL character: remove it")


_SECRET_PARAMETERS: Final = ("x-oss-signature", "Signature", "x-oss-security-token", "security-token")
"""Of signature versions 4 and 1 (OSS: "Include signatures in URLs")."""


def secrets_of_url(url: str) -> set[str]:
    """Return the signature, and the security token if there is one, in each form that a program may write down."""
    found: set[str] = set()
    for parameter in urlsplit(url).query.split("&"):
        name, _, written = parameter.partition("=")
        if name in _SECRET_PARAMETERS:
            value = unquote(written)
            found |= {written, value, quote(value), quote(value, safe="")}
    return found


_QUERY: Final = re.compile(r"\?(?:.+?(?= \(Caused by )|\S+)")
"""To the white space behind it, or to where requests goes on: a query may hold anything else."""
_USERINFO: Final = re.compile(r"(?<=//)[^/\s]*@")
"""To the last @: a password may hold one."""


def shown(url: str) -> str:
    """Return the URL without user, password, query and fragment."""
    try:
        parts = urlsplit(url)
    except ValueError:  # no URL
        return redacted(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def redacted(text: str) -> str:
    """Return the text of an error without the queries and users of the URLs in it, whole URLs or not."""
    return _USERINFO.sub("", _QUERY.sub("?...", text))
