"""Tags and ACL of an object that exists."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_oss.emulator.errors import OSSError
from airflow_provider_oss.emulator.metadata import checked_tags, read_object_acl
from airflow_provider_oss.emulator.operations.buckets import acl_document
from airflow_provider_oss.emulator.operations.call import version_headers
from airflow_provider_oss.emulator.wire.http import Response, xml_response
from airflow_provider_oss.emulator.wire.xml import add_tags, document, parse, tags_in

if TYPE_CHECKING:
    from airflow_provider_oss.emulator.operations.call import Call
    from airflow_provider_oss.emulator.state.records import Pairs


async def put_object_tagging(call: Call) -> Response:
    """Replace the object's tags."""
    call.require_object()
    root = parse(await call.body.document(call.limits.max_document_bytes), "Tagging")
    return _set_tags(call, checked_tags(tags_in(root), call.limits))


async def get_object_tagging(call: Call) -> Response:
    """Answer the object's tags."""
    record = call.require_object()
    root = document("Tagging")
    add_tags(root, record.metadata.tags)
    return xml_response(root, version_headers(call.require_bucket(), record))


async def delete_object_tagging(call: Call) -> Response:
    """Remove the object's tags."""
    return _set_tags(call, (), status=204)


async def put_object_acl(call: Call) -> Response:
    """Change the object's ACL."""
    record = call.require_object()
    acl = read_object_acl(call.request, call.require_bucket())
    if acl is None:
        raise OSSError("MissingArgument", extra={"ArgumentName": "x-oss-object-acl"})
    call.store.update_object(replace(record, metadata=replace(record.metadata, acl=acl)))
    return Response(headers=version_headers(call.require_bucket(), record))


async def get_object_acl(call: Call) -> Response:
    """Answer the object's ACL, ``default`` when it follows the bucket's."""
    record = call.require_object()
    return acl_document(record.metadata.acl, version_headers(call.require_bucket(), record))


def _set_tags(call: Call, tags: Pairs, status: int = 200) -> Response:
    record = call.require_object()
    call.store.update_object(replace(record, metadata=replace(record.metadata, tags=tags)))
    return Response(status, version_headers(call.require_bucket(), record))
