"""Block Public Access of a bucket: new buckets have it on, as OSS has it since October 2025."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from airflow_provider_oss.emulator.errors import OSSError
from airflow_provider_oss.emulator.wire.http import Response, xml_response
from airflow_provider_oss.emulator.wire.xml import document, parse, text_of

if TYPE_CHECKING:
    from airflow_provider_oss.emulator.operations.call import Call

_CONFIGURATION: Final = "PublicAccessBlockConfiguration"


async def put_bucket_public_access_block(call: Call) -> Response:
    """Block public access, or allow it: the ACLs that a bucket and its objects had hold again then."""
    root = parse(await call.body.document(call.limits.max_document_bytes), _CONFIGURATION)
    text = (text_of(root, "BlockPublicAccess") or "false").lower()
    if text not in ("true", "false"):
        raise OSSError("MalformedXML")
    call.store.put_bucket(replace(call.require_bucket(), blocks_public_access=text == "true"))
    return Response()


async def get_bucket_public_access_block(call: Call) -> Response:
    """Answer whether public access is blocked."""
    blocks = call.require_bucket().blocks_public_access
    return xml_response(document(_CONFIGURATION, BlockPublicAccess=str(blocks).lower()))


async def delete_bucket_public_access_block(call: Call) -> Response:
    """Allow public access."""
    call.store.put_bucket(replace(call.require_bucket(), blocks_public_access=False))
    return Response(204)
