"""
What is stored with an object beside its bytes.

A user's arguments become checked ObjectOptions here. What follows from the fields of ObjectDescription is here too: the
headers that carry them, the digest of an upload that was begun with them, what of them OSS shows of an object, and
whether an object has them.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import Field, fields, replace
from numbers import Number
from typing import Any, Final, TypedDict, Unpack
from urllib.parse import quote

from airflow_provider_oss import limits
from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.model import (
    BucketProperties,
    Callback,
    ObjectDescription,
    ObjectInfo,
    ObjectOptions,
    plain,
)
from airflow_provider_oss.quantities import whole_number
from airflow_provider_oss.shown import a_type

ACLS: Final = ("default", "private", "public-read", "public-read-write")
BUCKET_ACLS: Final = ACLS[1:]
REDUNDANCIES: Final = ("LRS", "ZRS")
STORAGE_CLASSES: Final = ("Standard", "IA", "Archive", "ColdArchive", "DeepColdArchive")

_DESCRIBED: Final[tuple[Field[Any], ...]] = fields(ObjectDescription)
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_META_NAME: Final = re.compile(r"[A-Za-z0-9-]+")
_NOT_OF_TAGS: Final = re.compile(r"[^\w +\-=.:/\u0080-\U0010ffff]")
"""Of ASCII alone: what letters of other scripts OSS takes is left to it."""
_OF_THE_CONNECTION: Final = "it is about the connection, not the object: remove it"
_OF_THE_REQUEST: Final = "it is about the request, not the object: remove it"
_OWN_HEADERS: Final = {
    **dict.fromkeys(("connection", "keep-alive", "te", "trailer", "upgrade", "expect", "via"), _OF_THE_CONNECTION),
    **dict.fromkeys(("cookie", "range", "content-range", "user-agent", "referer", "origin"), _OF_THE_REQUEST),
    **dict.fromkeys(("x-oss-date", "x-oss-content-sha256", "x-oss-additional-headers"), "it is set by signing"),
    **dict.fromkeys(("x-oss-metadata-directive", "x-oss-tagging-directive"), "it is set when an object is copied"),
    "authorization": "it is made by signing",
    "content-length": "it is known from the data",
    "content-md5": "it would differ for every part",
    "date": "it is set when the request is signed",
    "host": "it comes from the connection",
    "transfer-encoding": "it is known from the data",
    "x-oss-callback": "use callback",
    "x-oss-callback-var": "use callback",
    "x-oss-forbid-overwrite": "use forbid_overwrite",
    "x-oss-object-acl": "use acl",
    "x-oss-security-token": "it comes from the connection",
    "x-oss-traffic-limit": "use traffic_limit",
    **{one.metadata["header"]: f"use {one.name}" for one in _DESCRIBED if "header" in one.metadata},
}
_OTHER_KINDS: Final = {
    **{prefix: f"use {one.name}" for one in _DESCRIBED if (prefix := one.metadata.get("prefix"))},
    "x-oss-copy-source": "it would make a copy of the upload: use copy_object, or OSSCopyObjectOperator",
    "if-": _OF_THE_REQUEST,
    "accept": _OF_THE_REQUEST,
    "proxy-": _OF_THE_CONNECTION,
}
"""What other headers begin with that OSS does not store, or that would make another request of this one."""
_IN_EVERY_DIGEST: Final = ("mime", "meta", "headers", "storage_class", "tags")
"""The fields of the first release. Any other is in a digest only when it is given: those of running uploads stay."""
_OTHER_STORED_HEADERS: Final = (
    "cache-control", "content-disposition", "content-encoding", "content-language", "expires",
)  # fmt: skip
"""What an answer may show beside that was stored with the object; the one with an argument of its own is left out."""
_CALLBACK_FIELDS: Final = ("url", "host", "body", "contentType", "customValue")


class ObjectOptionArguments(TypedDict, total=False):
    """The arguments of ``parse_options``, and of all functions that pass them on."""

    mime: str | None
    """Content-Type; None guesses it from the key's ending."""
    meta: Mapping[str, Any] | None
    """stored as x-oss-meta-*."""
    headers: Mapping[str, Any] | None
    """
    other headers stored with the object: Cache-Control, Content-Disposition, Content-Encoding, Expires,
    x-oss-server-side-encryption, ...
    """
    acl: str | None
    """default, private, public-read or public-read-write."""
    storage_class: str | None
    """Standard, IA, Archive, ColdArchive or DeepColdArchive."""
    tags: Mapping[str, Any] | None
    """up to 10 object tags."""
    forbid_overwrite: bool
    """fail when another object has the key; OSS decides it, not a look beforehand."""
    traffic_limit: int | str | None
    """bit/s for each connection, 819200 to 838860800."""
    callback: Mapping[str, Any] | None
    """url, body and optionally host, contentType, customValue: OSS calls the application when the object is stored."""


def parse_options(**arguments: Unpack[ObjectOptionArguments]) -> ObjectOptions:
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
    known = ObjectOptionArguments.__annotations__
    if unknown := [name for name in arguments if name not in known]:
        raise OSSInvalidArgument(
            f"there is no option {', '.join(map(repr, unknown))}: the options are {', '.join(known)}"
        )
    return ObjectOptions(**{_FIELDS.get(name, name): _parsed(name, value) for name, value in arguments.items()})


def _parsed(name: str, value: Any) -> Any:
    """Return what an argument means: a text for a header, unless it has rules of its own."""
    if name in _PARSERS:
        return _PARSERS[name](value)
    return None if value is None else _header_value(name, value)


def parse_bucket_properties(
    acl: str | None = None, storage_class: str | None = None, redundancy: str | None = None
) -> BucketProperties:
    """Return checked properties of a bucket. Raises OSSInvalidArgument for what OSS does not know."""
    return BucketProperties(
        _one_of("acl", acl, BUCKET_ACLS),
        _one_of("storage_class", storage_class, STORAGE_CLASSES),
        _one_of("redundancy", redundancy, REDUNDANCIES),
    )


# What follows from the fields of a description


def given(description: ObjectDescription) -> Iterator[Field[Any]]:
    """Yield the fields that are not left to OSS."""
    return (one for one in _DESCRIBED if getattr(description, one.name))


def digest(description: ObjectDescription) -> str:
    """
    Return a short digest of what OSS fixes when a multipart upload begins.

    An upload begun with other options cannot be continued: the object would keep the old ones.
    """
    fixed = [_ordered(getattr(description, name)) for name in _IN_EVERY_DIGEST]
    added = (one.name for one in given(description) if one.name not in _IN_EVERY_DIGEST)
    fixed += [[name, _ordered(getattr(description, name))] for name in added]
    return hashlib.sha256(json.dumps(fixed).encode()).hexdigest()[:16]


def _ordered(value: Any) -> Any:
    return sorted(value.items()) if isinstance(value, Mapping) else value


def headers_of(description: ObjectDescription) -> dict[str, str]:
    """Return the headers that carry what is given."""
    headers: dict[str, str] = {}
    for one in given(description):
        value = getattr(description, one.name)
        if "prefix" in one.metadata:
            headers.update({f"{one.metadata['prefix']}{name}": text for name, text in value.items()})
        else:
            headers[one.metadata["header"]] = value if isinstance(value, str) else _in_one_header(value)
    return headers


def _in_one_header(values: Mapping[str, str]) -> str:
    return "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in values.items())


def shown_of(info: ObjectInfo) -> ObjectDescription:
    """Return what the answer to HeadObject shows of an object: all but its tags."""
    return ObjectDescription(**{one.name: shown for one in _DESCRIBED if (shown := _shown(one, info.headers))})


def _shown(one: Field[Any], headers: Mapping[str, str]) -> Any:
    prefix = one.metadata.get("prefix")
    if prefix is None:
        return headers.get(one.metadata["header"])
    return _beginning_with(prefix, headers) if prefix else _stored_with_object(headers)


def _beginning_with(prefix: str, headers: Mapping[str, str]) -> dict[str, str]:
    return {name[len(prefix) :]: value for name, value in headers.items() if name.startswith(prefix)}


def _stored_with_object(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: headers[name] for name in _OTHER_STORED_HEADERS if name in headers and name not in _OWN_HEADERS}


def is_described_as(info: ObjectInfo, wanted: ObjectDescription) -> bool:
    """Whether an object has what is given, as far as the answer to HeadObject shows it: ACL and tags it does not."""
    return all(_has(info.headers, one, getattr(wanted, one.name)) for one in given(wanted))


def _has(headers: Mapping[str, str], one: Field[Any], wanted: Any) -> bool:
    if isinstance(wanted, str):
        return bool(headers.get(one.metadata["header"], one.metadata["if_absent"]) == wanted)
    prefix = one.metadata.get("prefix")
    if prefix is None:
        return True  # tags are not shown
    shown = _beginning_with(prefix, headers)
    return shown == (wanted if prefix else {**shown, **wanted})


def described_as(options: ObjectOptions, description: ObjectDescription) -> ObjectOptions:
    """Return the options with another description."""
    return replace(options, **{one.name: getattr(description, one.name) for one in _DESCRIBED})


# What a user gives


def _parse_meta(meta: Mapping[str, Any]) -> dict[str, str]:
    parsed: dict[str, str] = {}
    for name, value in meta.items():
        bare = name.lower().removeprefix("x-oss-meta-")
        if not _META_NAME.fullmatch(bare):
            raise OSSInvalidArgument(f"meta key {name!r} is not allowed: use letters, digits and '-'")
        _check_new("meta", name, bare, parsed)
        parsed[bare] = _header_value(f"meta[{name!r}]", value)
    return parsed


def _parse_headers(headers: Mapping[str, Any]) -> dict[str, str]:
    parsed: dict[str, str] = {}
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            raise OSSInvalidArgument(f"headers key {name!r} is not the name of an HTTP header")
        if reason := _reason_against(name.lower()):
            raise OSSInvalidArgument(f"headers[{name!r}] cannot be given: {reason}")
        _check_new("headers", name, name.lower(), parsed)
        parsed[name.lower()] = _header_value(f"headers[{name!r}]", value)
    return parsed


def _reason_against(header: str) -> str | None:
    """Return why a header, in lower case, is none that OSS stores with an object; None when it may be one."""
    of_a_kind = (reason for beginning, reason in _OTHER_KINDS.items() if header.startswith(beginning))
    return _OWN_HEADERS.get(header) or next(of_a_kind, None)


def _check_new(name: str, key: str, bare: str, parsed: Mapping[str, str]) -> None:
    if bare in parsed:
        raise OSSInvalidArgument(f"{name} key {key!r} is given twice: OSS sees no difference in case, so leave one out")


def with_encoding(headers: Mapping[str, Any] | None, encoding: str | None) -> Mapping[str, Any]:
    """Return the headers with this Content-Encoding, unless they have one. None adds nothing."""
    given = mapping_of("headers", headers)
    if encoding is None or "content-encoding" in map(str.lower, given):
        return given
    return {**given, "Content-Encoding": encoding}


def mapping_of(name: str, value: Any) -> Mapping[str, Any]:
    """Return a mapping whose keys are text; None is an empty one."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise OSSInvalidArgument(f"{name}={value!r} is {a_type(value)}: give a mapping of names to values")
    for key in value:
        if not isinstance(key, str):
            raise OSSInvalidArgument(f"{name} key {key!r} is {a_type(key)}: give text")
    return value


def _text(what: str, value: Any) -> str:
    if isinstance(value, Number):
        return str(value)
    if not isinstance(value, str):
        raise OSSInvalidArgument(f"{what}={value!r} is {a_type(value)}: give text, a number or a boolean")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise OSSInvalidArgument(f"{what}={value!r} cannot be written as UTF-8: {error.reason}") from error
    return plain(value)


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
    return None if value is None else plain(value)


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
        if refused := _NOT_OF_TAGS.search(name) or _NOT_OF_TAGS.search(value):
            raise OSSInvalidArgument(
                f"tags[{name!r}]={value!r} has {refused[0]!r}: OSS allows letters, digits, space and + - = . _ : /"
            )
    return parsed


def _parse_traffic_limit(bits: Any) -> int | None:
    number = whole_number("traffic_limit", bits)
    if number is not None and not limits.MIN_TRAFFIC_LIMIT_BITS <= number <= limits.MAX_TRAFFIC_LIMIT_BITS:
        raise OSSInvalidArgument(
            f"traffic_limit={number} is outside what OSS allows: {limits.MIN_TRAFFIC_LIMIT_BITS} to "
            f"{limits.MAX_TRAFFIC_LIMIT_BITS} bits per second"
        )
    return number


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


def _parse_forbid_overwrite(forbid_overwrite: Any) -> bool:
    if not isinstance(forbid_overwrite, bool):
        raise OSSInvalidArgument(
            f"forbid_overwrite={forbid_overwrite!r} is {a_type(forbid_overwrite)}: give True or False"
        )
    return forbid_overwrite


_FIELDS: Final = {"traffic_limit": "traffic_limit_bits"}
"""Of arguments whose field of ObjectOptions has another name."""
_PARSERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "meta": lambda meta: _parse_meta(mapping_of("meta", meta)),
    "headers": lambda headers: _parse_headers(mapping_of("headers", headers)),
    "acl": lambda acl: _one_of("acl", acl, ACLS),
    "storage_class": lambda storage_class: _one_of("storage_class", storage_class, STORAGE_CLASSES),
    "tags": parse_tags,
    "forbid_overwrite": _parse_forbid_overwrite,
    "traffic_limit": _parse_traffic_limit,
    "callback": lambda callback: None if callback is None else _parse_callback(mapping_of("callback", callback)),
}
"""Of arguments that are more than a text for a header."""
