"""The headers that describe an object: read from a request that writes it, and written to one that reads it. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_plus

from airflow_provider_oss.emulator.errors import OSSError, invalid_argument
from airflow_provider_oss.emulator.state.records import Metadata, Pairs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_oss.emulator.limits import Limits
    from airflow_provider_oss.emulator.state.records import BucketRecord, ObjectRecord
    from airflow_provider_oss.emulator.wire.http import Request

BUCKET_ACLS: Final = frozenset({"private", "public-read", "public-read-write"})
OBJECT_ACLS: Final = BUCKET_ACLS | {"default"}
STORAGE_CLASSES: Final = frozenset({"Standard", "IA", "Archive", "ColdArchive", "DeepColdArchive"})
ARCHIVED: Final = frozenset({"Archive", "ColdArchive", "DeepColdArchive"})

_KEPT_HEADERS: Final = ("Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Expires")
_META_PREFIX: Final = "x-oss-meta-"
_CLIENT_ENCRYPTION_PREFIX: Final = "x-oss-meta-client-side-encryption-"
_ENCRYPTION: Final = "x-oss-server-side-encryption"
_ENCRYPTION_KEY: Final = "x-oss-server-side-encryption-key-id"
_DATA_ENCRYPTION: Final = "x-oss-server-side-data-encryption"
_ENCRYPTION_HEADERS: Final = (_ENCRYPTION, _ENCRYPTION_KEY, _DATA_ENCRYPTION)
_DEFAULT_KEY: Final = "00000000-0000-0000-0000-000000000000"
"""The key that OSS takes when a request names none; nothing is encrypted with it."""
_TAG_TEXT: Final = re.compile(r"[\w +\-=.:/]*")
_CLIENT_ENCRYPTION: Final = {
    "key": "Key",
    "start": "Start",
    "cek-alg": "CekAlg",
    "wrap-alg": "WrapAlg",
    "data-size": "DataSize",
    "part-size": "PartSize",
}
_KMS: Final = "KMS"
_ALGORITHMS: Final = frozenset({"AES256", _KMS, "SM4"})
_DATA_ALGORITHM: Final = "SM4"


def read_metadata(request: Request, bucket: BucketRecord, limits: Limits) -> Metadata:
    """Return what the request says about the object it writes. Raises OSSError for values that OSS refuses there."""
    storage_class = request.header("x-oss-storage-class", bucket.storage_class)
    if storage_class not in STORAGE_CLASSES:
        raise invalid_argument("x-oss-storage-class", storage_class, "The storage class is invalid.")
    return Metadata(
        content_type=request.header("content-type") or "application/octet-stream",
        http_headers=tuple(
            (name, request.headers[name.lower()]) for name in _KEPT_HEADERS if name.lower() in request.headers
        ),
        user=_user_metadata(request, limits),
        storage_class=storage_class,
        acl=read_object_acl(request, bucket) or "default",
        encryption=_encryption(request),
        tags=parse_tagging_header(request.header("x-oss-tagging"), limits),
    )


def read_object_acl(request: Request, bucket: BucketRecord) -> str | None:
    """
    Return the ``x-oss-object-acl`` header, None when there is none.

    Raises OSSError: 400 for an unknown ACL, 403 for a public one where the bucket blocks public access.
    """
    acl = request.headers.get("x-oss-object-acl")
    if acl is not None and acl not in OBJECT_ACLS:
        raise invalid_argument("x-oss-object-acl", acl, "The object ACL is invalid.")
    refuse_public_acl(bucket, acl, "object")
    return acl


def is_public(bucket: BucketRecord, record: ObjectRecord) -> bool:
    """Whether anyone may read the object: by its own ACL, or where it has none by the bucket's."""
    acl = bucket.acl if record.metadata.acl == "default" else record.metadata.acl
    return acl != "private" and not bucket.blocks_public_access


def refuse_public_acl(bucket: BucketRecord, acl: str | None, what: str) -> None:
    """Raise OSSError 403 AccessDenied for a public ACL of ``what`` where the bucket blocks public access."""
    if bucket.blocks_public_access and acl is not None and acl.startswith("public-"):
        raise OSSError("AccessDenied", f"Put public {what} acl is not allowed")


def forbids_overwrite(request: Request) -> bool:
    """Return the ``x-oss-forbid-overwrite`` header. Raises OSSError 400 when it is neither true nor false."""
    text = request.header("x-oss-forbid-overwrite", "false")
    if text.lower() not in ("true", "false"):
        raise invalid_argument("x-oss-forbid-overwrite", text, ec="0017-00000279")
    return text.lower() == "true"


def with_client_encryption(user: Pairs, source: Pairs) -> Pairs:
    """Return the user metadata with what the source says of its client-side encryption: no copy is read without."""
    kept = {name: value for name, value in source if name.startswith(_CLIENT_ENCRYPTION_PREFIX)}
    return tuple(sorted({**kept, **dict(user)}.items()))


def client_encryption(user: Pairs) -> dict[str, str]:
    """Return what the user metadata says of client-side encryption, as ListParts names it."""
    found = dict(user)
    return {
        f"ClientEncryption{element}": found[f"{_CLIENT_ENCRYPTION_PREFIX}{name}"]
        for name, element in _CLIENT_ENCRYPTION.items()
        if f"{_CLIENT_ENCRYPTION_PREFIX}{name}" in found
    }


def refuse_encryption(request: Request) -> None:
    """Raise OSSError 400 when the request names an encryption: a multipart upload has the one that it began with."""
    for name in _ENCRYPTION_HEADERS:
        if name in request.headers:
            message = f"The request header {name} is not supported by this operation."
            raise invalid_argument(name, request.headers[name], message)


def traffic_limit_bytes_per_second(request: Request, limits: Limits) -> float | None:
    """Return the traffic limit of the request in bytes, None when there is none. Raises OSSError 400 for a bad one."""
    name = "x-oss-traffic-limit"
    in_header, in_query = request.headers.get(name), request.has_parameter(name)
    if in_header is not None and in_query:
        raise invalid_argument(name, in_header, "The traffic limit is given twice.", ec="0004-00000501")
    text = request.parameter(name) if in_query else in_header
    if text is None:
        return None
    lowest, highest = limits.min_traffic_limit_bits_per_second, limits.max_traffic_limit_bits_per_second
    if not text.isdigit() or not lowest <= int(text) <= highest:
        raise invalid_argument(
            name, text, f"The traffic limit must be {lowest} to {highest} bit/s.", ec="0004-00000502"
        )
    return int(text) / 8


def parse_tagging_header(text: str, limits: Limits) -> Pairs:
    """Tags as ``a=1&b=2``, percent-encoded. Raises OSSError 400 InvalidTag."""
    items = (item.partition("=") for item in text.split("&") if item)
    return checked_tags(((unquote_plus(key), unquote_plus(value)) for key, _, value in items), limits)


def checked_tags(tags: Iterable[tuple[str, str]], limits: Limits) -> Pairs:
    """
    Return the tags as OSS takes them. Raises OSSError 400 InvalidTag.

    Keys and values consist of letters of any script, digits, space and ``+-=._:/``.
    """
    pairs = tuple(tags)
    if len(pairs) > limits.max_tags or len({key for key, _ in pairs}) < len(pairs):
        raise OSSError("InvalidTag", f"An object has at most {limits.max_tags} tags with distinct keys.")
    for key, value in pairs:
        has_good_size = 1 <= len(key) <= limits.max_tag_key_chars and len(value) <= limits.max_tag_value_chars
        if not has_good_size or not _TAG_TEXT.fullmatch(key) or not _TAG_TEXT.fullmatch(value):
            raise OSSError("InvalidTag", extra={"ArgumentName": key, "ArgumentValue": value})
    return pairs


def response_headers(metadata: Metadata) -> dict[str, str]:
    """Return the headers of a GET or HEAD that follow from the metadata."""
    headers = {"Content-Type": metadata.content_type, **dict(metadata.http_headers), **dict(metadata.user)}
    headers |= {"x-oss-storage-class": metadata.storage_class, **dict(metadata.encryption)}
    if metadata.tags:
        headers["x-oss-tagging-count"] = str(len(metadata.tags))
    return headers


def _user_metadata(request: Request, limits: Limits) -> Pairs:
    pairs = tuple((name, value) for name, value in sorted(request.headers.items()) if name.startswith(_META_PREFIX))
    if sum(len(name) - len(_META_PREFIX) + len(value) for name, value in pairs) > limits.max_user_metadata_bytes:
        raise invalid_argument(_META_PREFIX, "", "The total size of the user metadata exceeds the limit.")
    return pairs


def _encryption(request: Request) -> Pairs:
    """Return the headers to echo: the algorithm, and of KMS its key and how data is encrypted with it."""
    given = {name: request.headers[name] for name in _ENCRYPTION_HEADERS if name in request.headers}
    algorithm = given.get(_ENCRYPTION)
    if algorithm is None and _ENCRYPTION_KEY not in given:
        return ()
    if algorithm not in _ALGORITHMS:
        raise _bad_algorithm(_ENCRYPTION, algorithm or "")
    if algorithm != _KMS:
        return ((_ENCRYPTION, algorithm),)
    if given.get(_DATA_ENCRYPTION, _DATA_ALGORITHM) != _DATA_ALGORITHM:
        raise _bad_algorithm(_DATA_ENCRYPTION, given[_DATA_ENCRYPTION])
    return tuple(sorted({_ENCRYPTION_KEY: _DEFAULT_KEY, **given}.items()))


def _bad_algorithm(name: str, value: str) -> OSSError:
    return OSSError("InvalidEncryptionAlgorithmError", extra={"ArgumentName": name, "ArgumentValue": value})
