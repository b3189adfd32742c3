"""ObjectOptions to the headers of a request, and headers of an answer to values. Pure."""

from __future__ import annotations

import base64
import json
import mimetypes
from collections.abc import Mapping
from urllib.parse import quote

from airflow_provider_oss.model import Callback, ObjectInfo, ObjectOptions, ObjectRange, ObjectRef

META_PREFIX = "x-oss-meta-"


def content_headers(ref: ObjectRef, options: ObjectOptions) -> dict[str, str]:
    """Return what is stored with the object: for PutObject and InitiateMultipartUpload."""
    headers = {"content-type": options.mime or _guessed_type(ref.key), **options.headers}
    headers.update({f"{META_PREFIX}{name}": value for name, value in options.meta.items()})
    if options.storage_class is not None:
        headers["x-oss-storage-class"] = options.storage_class
    if options.tags:
        headers["x-oss-tagging"] = "&".join(f"{quote(k, safe='')}={quote(v, safe='')}" for k, v in options.tags.items())
    if options.forbid_overwrite:
        headers["x-oss-forbid-overwrite"] = "true"
    return headers


def publishing_headers(options: ObjectOptions) -> dict[str, str]:
    """Return what takes effect when the object appears: for PutObject and CompleteMultipartUpload."""
    headers = {}
    if options.acl is not None:
        headers["x-oss-object-acl"] = options.acl
    if options.forbid_overwrite:
        headers["x-oss-forbid-overwrite"] = "true"
    if options.callback is not None:
        headers.update(_callback_headers(options.callback))
    return headers


def sending_headers(options: ObjectOptions) -> dict[str, str]:
    """Return what governs the sending of a body: for PutObject and UploadPart."""
    bits = options.traffic_limit_bits
    return {} if bits is None else {"x-oss-traffic-limit": str(bits)}


def reading_headers(
    byte_range: tuple[int | None, int | None] | None, if_match: str | None, *, is_strict: bool
) -> dict[str, str]:
    """Return what says which bytes of which version are wanted: for GetObject. (None, n) are the last n bytes."""
    headers = {}
    if byte_range is not None:
        first, last = byte_range
        headers["range"] = f"bytes={'' if first is None else first}-{'' if last is None else last}"
        if is_strict:
            headers["x-oss-range-behavior"] = "standard"
    if if_match is not None:
        headers["if-match"] = f'"{if_match}"'
    return headers


def copy_source_headers(source: ObjectRange) -> dict[str, str]:
    """Return what names the source of a copy and the only version of it that may be copied."""
    return {
        "x-oss-copy-source": f"/{source.ref.bucket}/{quote(source.ref.key)}",
        "x-oss-copy-source-if-match": f'"{source.etag}"',
    }


def _guessed_type(key: str) -> str:
    return mimetypes.guess_type(key)[0] or "application/octet-stream"


def _callback_headers(callback: Callback) -> dict[str, str]:
    rule = {
        "callbackUrl": callback.url,
        "callbackBody": callback.body,
        "callbackBodyType": callback.content_type,
    }
    if callback.host is not None:
        rule["callbackHost"] = callback.host
    headers = {"x-oss-callback": _base64_json(rule)}
    if callback.custom_value:
        variables = {f"x:{name.removeprefix('x:')}": value for name, value in callback.custom_value.items()}
        headers["x-oss-callback-var"] = _base64_json(variables)
    return headers


def _base64_json(value: Mapping[str, str]) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()


def crc64_of(headers: Mapping[str, str]) -> int | None:
    """Return the CRC-64 that OSS sends with an object or a part, if it does."""
    value = headers.get("x-oss-hash-crc64ecma")
    return None if value is None else int(value)


def object_info(ref: ObjectRef, headers: Mapping[str, str]) -> ObjectInfo:
    """Return what the answer to HeadObject says, or to GetObject: of a range, the size is the range's."""
    plain = {name.lower(): _decoded(value) for name, value in headers.items()}
    return ObjectInfo(
        ref=ref,
        size_bytes=int(plain["content-length"]),
        etag=plain.get("etag", "").strip('"'),
        crc64=crc64_of(plain),
        content_type=plain.get("content-type"),
        last_modified=plain.get("last-modified"),
        object_type=plain.get("x-oss-object-type"),
        storage_class=plain.get("x-oss-storage-class"),
        version_id=plain.get("x-oss-version-id"),
        meta={name.removeprefix(META_PREFIX): value for name, value in plain.items() if name.startswith(META_PREFIX)},
        headers=plain,
    )


def _decoded(value: str) -> str:
    """Undo http.client's reading of header bytes as Latin-1: OSS sends metadata back in the UTF-8 it came in."""
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value
