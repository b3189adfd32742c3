"""Objects and their versions: delete, one or many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from xml.etree.ElementTree import SubElement

from airflow_provider_oss.emulator.errors import OSSError
from airflow_provider_oss.emulator.operations.call import NULL_VERSION, Call, check_key, parse_version_id
from airflow_provider_oss.emulator.state.records import ObjectRecord
from airflow_provider_oss.emulator.wire.http import Response, xml_response
from airflow_provider_oss.emulator.wire.xml import add, document, parse, text_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_oss.emulator.state.records import BucketRecord
    from airflow_provider_oss.emulator.wire.xml import Element

_MARKER: Final = "DeleteMarker"


@dataclass(frozen=True, slots=True)
class _Deletion:
    """What the client wants to be deleted: an object, or a version of it for good."""

    key: str
    version_id: str | None


async def delete_object(call: Call) -> Response:
    """Remove an object; one that is absent is 204 as well."""
    done = _delete(call, call.require_bucket(), _Deletion(call.target.key, call.version_id()))
    if done is None:
        return Response(204)
    marker = {"x-oss-delete-marker": "true"} if done.is_delete_marker else {}
    return Response(204, {"x-oss-version-id": done.version_id or NULL_VERSION, **marker})


async def delete_multiple_objects(call: Call) -> Response:
    """Remove up to 1000 objects; all of them are reported, absent ones too, unless the client wants it quiet."""
    call.require_bucket()
    encode = call.encoder()
    if "content-md5" not in call.request.headers:
        raise OSSError("MissingArgument", ec="0016-00000606", extra={"ArgumentName": "Content-MD5"})
    if "content-length" not in call.request.headers:
        raise OSSError("MissingContentLength")
    deletions, quiet = _read_deletions(
        await call.body.document(call.limits.max_delete_body_bytes), call.limits.max_deleted_keys
    )
    bucket = call.require_bucket()
    for deletion in deletions:
        check_key(deletion.key, call.limits)
        action = "oss:DeleteObject" if deletion.version_id is None else "oss:DeleteObjectVersion"
        call.require_permission(action, bucket.name, deletion.key)
    done = [(deletion, _delete(call, bucket, deletion)) for deletion in deletions]
    if quiet:
        return Response()
    root = document("DeleteResult", EncodingType=call.encoding_type())
    for deletion, record in done:
        _report(SubElement(root, "Deleted"), deletion, record, encode)
    return xml_response(root)


def _delete(call: Call, bucket: BucketRecord, deletion: _Deletion) -> ObjectRecord | None:
    """
    Delete, and return the version that the answer names: what was removed, or the delete marker that hides the rest.

    None where there is nothing to name: versioning never was on, or there is no such version.
    """
    if deletion.version_id is not None:
        return call.store.remove_version(bucket.name, deletion.key, deletion.version_id)
    if not bucket.versioning:
        call.store.remove_version(bucket.name, deletion.key)
        return None
    marker = ObjectRecord(bucket.name, deletion.key, 0, "", 0, _MARKER, call.now(), (), is_delete_marker=True)
    return call.store.put_object(marker)


def _report(element: Element, deletion: _Deletion, record: ObjectRecord | None, encode: Callable[[str], str]) -> None:
    add(element, Key=encode(deletion.key))
    if deletion.version_id is not None:
        add(element, VersionId=deletion.version_id or NULL_VERSION)
    if record is not None and record.is_delete_marker:
        add(element, DeleteMarker="true", DeleteMarkerVersionId=record.version_id or NULL_VERSION)


def _read_deletions(body: bytes, max_keys: int) -> tuple[list[_Deletion], bool]:
    root = parse(body, "Delete")
    deletions = []
    for element in root.iterfind("Object"):
        key, version_id = text_of(element, "Key"), text_of(element, "VersionId")
        if key is None:
            raise OSSError("MalformedXML", ec="0016-00000607")
        deletions.append(_Deletion(key, parse_version_id(version_id) if version_id else None))
    if not deletions or len(deletions) > max_keys:
        raise OSSError("MalformedXML", ec="0016-00000615")
    return deletions, (text_of(root, "Quiet") or "").lower() == "true"
