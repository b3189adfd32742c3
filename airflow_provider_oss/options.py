"""What a user says of an object (mime, meta, headers, ...) to ObjectOptions: the one place that checks it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from numbers import Number
from typing import Any, Final, TypedDict

from airflow_provider_oss import limits
from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.model import BucketProperties, Callback, ObjectOptions

ACLS: Final = ("default", "private", "public-read", "public-read-write")
BUCKET_ACLS: Final = ACLS[1:]
REDUNDANCIES: Final = ("LRS", "ZRS")
STORAGE_CLASSES: Final = ("Standard", "IA", "Archive", "ColdArchive", "DeepColdArchive")

_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_META_NAME: Final = re.compile(r"[A-Za-z0-9-]+")
_OWN_HEADERS: Final = {
    "authorization": "it is made by signing",
    "content-length": "it is known from the data",
    "content-md5": "it would differ for every part",
    "content-type": "use mime",
    "date": "it is set when the request is signed",
    "host": "it comes from the connection",
    "transfer-encoding": "it is known from the data",
    "x-oss-callback": "use callback",
    "x-oss-callback-var": "use callback",
    "x-oss-forbid-overwrite": "use forbid_overwrite",
    "x-oss-object-acl": "use acl",
    "x-oss-security-token": "it comes from the connection",
    "x-oss-storage-class": "use storage_class",
    "x-oss-tagging": "use tags",
    "x-oss-traffic-limit": "use traffic_limit",
}
_CALLBACK_FIELDS: Final = ("url", "host", "body", "contentType", "customValue")


class ObjectOptionArguments(TypedDict, total=False):
    """The arguments of ``parse_options``, for functions that pass them on."""

    mime: str | None
    meta: Mapping[str, Any] | None
    headers: Mapping[str, Any] | None
    acl: str | None
    storage_class: str | None
    tags: Mapping[str, Any] | None
    forbid_overwrite: bool
    traffic_limit: int | None
    callback: Mapping[str, Any] | None


def parse_options(  # noqa: PLR0913 - one argument for each thing OSS stores with an object
    *,
    mime: str | None = None,
    meta: Mapping[str, Any] | None = None,
    headers: Mapping[str, Any] | None = None,
    acl: str | None = None,
    storage_class: str | None = None,
    tags: Mapping[str, Any] | None = None,
    forbid_overwrite: bool = False,
    traffic_limit: int | None = None,
    callback: Mapping[str, Any] | None = None,
) -> ObjectOptions:
    """
    Return checked options. Numbers and booleans in ``meta``, ``headers`` and ``tags`` become strings.

    :param mime: Content-Type; None guesses it from the key's ending.
    :param meta: stored as x-oss-meta-*.
    :param headers: other headers stored with the object: Cache-Control, Content-Disposition, Content-Encoding,
        Expires, x-oss-server-side-encryption, ...
    :param acl: default, private, public-read or public-read-write.
    :param storage_class: Standard, IA, Archive, ColdArchive or DeepColdArchive.
    :param tags: up to 10 object tags.
    :param forbid_overwrite: fail when another object has the key; OSS decides it, not a look beforehand.
    :param traffic_limit: bit/s for each connection, 819200 to 838860800.
    :param callback: url, body and optionally host, contentType, customValue: OSS calls the application when the object
        is stored.

    Raises OSSInvalidArgument, naming the argument, its value and the remedy, for what OSS would refuse or what would
    contradict another argument.
    """
    return ObjectOptions(
        mime=None if mime is None else _header_value("mime", mime),
        meta=_parse_meta(mapping_of("meta", meta)),
        headers=_parse_headers(mapping_of("headers", headers)),
        acl=_one_of("acl", acl, ACLS),
        storage_class=_one_of("storage_class", storage_class, STORAGE_CLASSES),
        tags=parse_tags(tags),
        forbid_overwrite=forbid_overwrite,
        traffic_limit_bits=_parse_traffic_limit(traffic_limit),
        callback=None if callback is None else _parse_callback(mapping_of("callback", callback)),
    )


def parse_bucket_properties(
    acl: str | None = None, storage_class: str | None = None, redundancy: str | None = None
) -> BucketProperties:
    """Return checked properties of a bucket. Raises OSSInvalidArgument for what OSS does not know."""
    return BucketProperties(
        _one_of("acl", acl, BUCKET_ACLS),
        _one_of("storage_class", storage_class, STORAGE_CLASSES),
        _one_of("redundancy", redundancy, REDUNDANCIES),
    )


def digest(options: ObjectOptions) -> str:
    """
    Return a short digest of what OSS fixes when a multipart upload begins.

    An upload begun with other options cannot be continued: the object would keep the old ones.
    """
    fixed = [
        options.mime,
        sorted(options.meta.items()),
        sorted(options.headers.items()),
        options.storage_class,
        sorted(options.tags.items()),
    ]
    return hashlib.sha256(json.dumps(fixed).encode()).hexdigest()[:16]


def _parse_meta(meta: Mapping[str, Any]) -> dict[str, str]:
    parsed = {}
    for name, value in meta.items():
        bare = name.lower().removeprefix("x-oss-meta-")
        if not _META_NAME.fullmatch(bare):
            raise OSSInvalidArgument(f"meta key {name!r} is not allowed: use letters, digits and '-'")
        parsed[bare] = _header_value(f"meta[{name!r}]", value)
    return parsed


def _parse_headers(headers: Mapping[str, Any]) -> dict[str, str]:
    parsed = {}
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            raise OSSInvalidArgument(f"headers key {name!r} is not the name of an HTTP header")
        if reason := _OWN_HEADERS.get(name.lower()):
            raise OSSInvalidArgument(f"headers[{name!r}] cannot be given: {reason}")
        if name.lower().startswith("x-oss-meta-"):
            raise OSSInvalidArgument(f"headers[{name!r}] cannot be given: use meta")
        parsed[name.lower()] = _header_value(f"headers[{name!r}]", value)
    return parsed


def mapping_of(name: str, value: Any) -> Mapping[str, Any]:
    """Return a mapping whose keys are text; None is an empty one."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise OSSInvalidArgument(f"{name}={value!r} is a {type(value).__name__}: give a mapping of names to values")
    for key in value:
        if not isinstance(key, str):
            raise OSSInvalidArgument(f"{name} key {key!r} is a {type(key).__name__}: give text")
    return value


def _text(what: str, value: Any) -> str:
    if isinstance(value, Number):
        return str(value)
    if not isinstance(value, str):
        raise OSSInvalidArgument(f"{what}={value!r} is a {type(value).__name__}: give text, a number or a boolean")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise OSSInvalidArgument(f"{what}={value!r} cannot be written as UTF-8: {error.reason}") from error
    return value


def _header_value(what: str, value: Any) -> str:
    text = _text(what, value)
    if any(ord(char) < 0x20 or ord(char) == 0x7F for char in text):  # noqa: PLR2004 - ASCII control characters
        raise OSSInvalidArgument(f"{what}={text!r} has a control character, which no HTTP header may hold")
    if text != text.strip():
        raise OSSInvalidArgument(f"{what}={text!r} begins or ends with white space, which HTTP does not keep")
    return text


def _one_of(name: str, value: str | None, allowed: tuple[str, ...]) -> str | None:
    if value is not None and value not in allowed:
        raise OSSInvalidArgument(f"{name}={value!r} is not known: use one of {', '.join(allowed)}")
    return value


def parse_tags(tags: Mapping[str, Any] | None) -> dict[str, str]:
    """Return checked object tags. Raises OSSInvalidArgument for what OSS would refuse."""
    tags = mapping_of("tags", tags)
    if len(tags) > limits.MAX_TAGS:
        raise OSSInvalidArgument(f"tags has {len(tags)} entries: OSS allows {limits.MAX_TAGS}")
    parsed = {_text("tags key", name): _text(f"tags[{name!r}]", value) for name, value in tags.items()}
    for name, value in parsed.items():
        if not 1 <= len(name) <= limits.MAX_TAG_KEY_CHARS or len(value) > limits.MAX_TAG_VALUE_CHARS:
            raise OSSInvalidArgument(
                f"tags[{name!r}]={value!r} is too long or has no name: OSS allows names of 1 to "
                f"{limits.MAX_TAG_KEY_CHARS} characters and values of up to {limits.MAX_TAG_VALUE_CHARS}"
            )
    return parsed


def _parse_traffic_limit(bits: Any) -> int | None:
    if bits is None:
        return None
    if not isinstance(bits, int):
        raise OSSInvalidArgument(f"traffic_limit={bits!r} is a {type(bits).__name__}: give a whole number")
    if not limits.MIN_TRAFFIC_LIMIT_BITS <= bits <= limits.MAX_TRAFFIC_LIMIT_BITS:
        raise OSSInvalidArgument(
            f"traffic_limit={bits} is outside what OSS allows: {limits.MIN_TRAFFIC_LIMIT_BITS} to "
            f"{limits.MAX_TRAFFIC_LIMIT_BITS} bits per second"
        )
    return bits


def _parse_callback(callback: Mapping[str, Any]) -> Callback:
    unknown = sorted(set(callback) - set(_CALLBACK_FIELDS))
    if unknown:
        raise OSSInvalidArgument(f"callback has unknown fields {unknown}: it takes {', '.join(_CALLBACK_FIELDS)}")
    for name in ("url", "body"):
        if not callback.get(name):
            raise OSSInvalidArgument(f"callback has no {name!r}: url and body are required")
    custom_value = mapping_of("callback['customValue']", callback.get("customValue"))
    text = {
        name: _text(f"callback[{name!r}]", callback[name])
        for name in ("url", "body", "host", "contentType")
        if callback.get(name) is not None
    }
    return Callback(
        url=text["url"],
        body=text["body"],
        host=text.get("host"),
        content_type=text.get("contentType") or "application/x-www-form-urlencoded",
        custom_value={name: _text(f"customValue[{name!r}]", value) for name, value in custom_value.items()},
    )
