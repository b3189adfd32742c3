"""Versioning of a bucket: the switch, and the list of all versions."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final
from xml.etree.ElementTree import SubElement

from airflow_provider_oss.emulator.errors import OSSError, invalid_argument
from airflow_provider_oss.emulator.operations.buckets import add_owner
from airflow_provider_oss.emulator.operations.call import NULL_VERSION
from airflow_provider_oss.emulator.paging import page
from airflow_provider_oss.emulator.wire.dates import xml_date
from airflow_provider_oss.emulator.wire.http import Response, xml_response
from airflow_provider_oss.emulator.wire.xml import add, document, parse, text_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_oss.emulator.operations.call import Call
    from airflow_provider_oss.emulator.state.records import ObjectRecord
    from airflow_provider_oss.emulator.wire.xml import Element

_STATES: Final = frozenset({"Enabled", "Suspended"})


async def put_bucket_versioning(call: Call) -> Response:
    """Enable versioning or suspend it; it can never be as if it had not been."""
    root = parse(await call.body.document(call.limits.max_document_bytes), "VersioningConfiguration")
    status = text_of(root, "Status")
    if status not in _STATES:
        raise OSSError("MalformedXML")
    call.store.put_bucket(replace(call.require_bucket(), versioning=status))
    return Response()


async def get_bucket_versioning(call: Call) -> Response:
    """Answer the state, nothing where versioning was never enabled."""
    bucket = call.require_bucket()
    return xml_response(document("VersioningConfiguration", Status=bucket.versioning or None))


async def list_object_versions(call: Call) -> Response:
    """List all versions and delete markers, by key and from the latest on, paged by key and version."""
    encode = call.encoder()
    asked = _read_query(call)
    limit = call.number("max-keys", call.limits.default_max_keys, 1, call.limits.max_listed)
    versions = _all_versions(call, call.require_bucket().name)
    found = page(
        [version.key for version in versions],
        start=_position_after(versions, asked),
        prefix=asked.prefix,
        delimiter=asked.delimiter,
        after=asked.key_marker,
        limit=limit,
    )
    last = found.entries[-1] if found.truncated else None
    last_version = None if last is None or last.position is None else versions[last.position]
    root = document(
        "ListVersionsResult",
        Name=call.target.bucket,
        Prefix=encode(asked.prefix),
        KeyMarker=encode(asked.key_marker),
        VersionIdMarker=asked.version_id_marker,
        MaxKeys=limit,
        Delimiter=encode(asked.delimiter),
        EncodingType=call.encoding_type(),
        IsTruncated=str(found.truncated).lower(),
        NextKeyMarker=encode(last.name) if last else None,
        NextVersionIdMarker=_shown_id(last_version) if last_version else None,
    )
    for entry in found.entries:
        if entry.position is None:
            add(SubElement(root, "CommonPrefixes"), Prefix=encode(entry.name))
        else:
            is_latest = entry.position == 0 or versions[entry.position - 1].key != entry.name
            _add_version(root, versions[entry.position], encode, is_latest=is_latest)
    return xml_response(root)


@dataclass(frozen=True, slots=True)
class _Query:
    """What a listing is narrowed to, and where it goes on."""

    prefix: str
    delimiter: str
    key_marker: str
    version_id_marker: str


def _read_query(call: Call) -> _Query:
    names = ("prefix", "delimiter", "key-marker", "version-id-marker")
    for name in names:
        text = call.request.parameter(name)
        if len(text.encode("utf-8", "surrogateescape")) > call.limits.max_key_bytes:
            raise invalid_argument(
                name, text, f"The length of {name} must be less than {call.limits.max_key_bytes + 1}."
            )
    asked = _Query(*map(call.request.parameter, names))
    if asked.version_id_marker and not asked.key_marker:
        raise invalid_argument("version-id-marker", asked.version_id_marker, "A version-id-marker needs a key-marker.")
    return asked


def _all_versions(call: Call, bucket: str) -> list[ObjectRecord]:
    store = call.store
    return [version for key in store.keys_with_versions(bucket) for version in store.versions(bucket, key)]


def _position_after(versions: list[ObjectRecord], asked: _Query) -> int:
    """Return the first position behind the markers; of a version that is gone, behind its key."""
    if not asked.key_marker:
        return 0
    behind_key = bisect_right(versions, asked.key_marker, key=lambda version: version.key)
    if not asked.version_id_marker:
        return behind_key
    first = bisect_left(versions, asked.key_marker, key=lambda version: version.key)
    ids = [_shown_id(version) for version in versions[first:behind_key]]
    return first + ids.index(asked.version_id_marker) + 1 if asked.version_id_marker in ids else behind_key


def _add_version(root: Element, version: ObjectRecord, encode: Callable[[str], str], *, is_latest: bool) -> None:
    element = SubElement(root, "DeleteMarker" if version.is_delete_marker else "Version")
    add(
        element,
        Key=encode(version.key),
        VersionId=_shown_id(version),
        IsLatest=str(is_latest).lower(),
        LastModified=xml_date(version.modified_at),
    )
    if not version.is_delete_marker:
        add(
            element,
            ETag=f'"{version.etag}"',
            Type=version.kind,
            Size=version.size,
            StorageClass=version.metadata.storage_class,
        )
    add_owner(element)


def _shown_id(version: ObjectRecord) -> str:
    return version.version_id or NULL_VERSION
