"""What a bucket keeps and returns without heeding it: its tags and its policy."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from airflow_provider_oss.emulator.errors import OSSError
from airflow_provider_oss.emulator.wire.http import Response, xml_response
from airflow_provider_oss.emulator.wire.xml import add_tags, document, parse, tags_in

if TYPE_CHECKING:
    from airflow_provider_oss.emulator.operations.call import Call

_JSON: Final = "application/json"


async def put_bucket_tags(call: Call) -> Response:
    """Replace the bucket's tags. Unlike those of an object they may have any characters."""
    tags = tags_in(parse(await call.body.document(call.limits.max_document_bytes), "Tagging"))
    keys = {key for key, _ in tags}
    if len(tags) > call.limits.max_bucket_tags or len(keys) < len(tags) or "" in keys:
        raise OSSError("InvalidTag", f"A bucket has at most {call.limits.max_bucket_tags} tags with distinct keys.")
    call.store.put_bucket(replace(call.require_bucket(), tags=tags))
    return Response()


async def get_bucket_tags(call: Call) -> Response:
    """Answer the bucket's tags."""
    root = document("Tagging")
    add_tags(root, call.require_bucket().tags)
    return xml_response(root)


async def delete_bucket_tags(call: Call) -> Response:
    """Remove the bucket's tags: all, or those that the query names."""
    bucket = call.require_bucket()
    named = set(call.request.parameter("tagging").split(",")) - {""}
    kept = tuple((key, value) for key, value in bucket.tags if named and key not in named)
    call.store.put_bucket(replace(bucket, tags=kept))
    return Response(204)


async def put_bucket_policy(call: Call) -> Response:
    """Keep a policy: any JSON object. Nothing that is asked of the bucket is held against it."""
    body = await call.body.document(call.limits.max_document_bytes)
    try:
        is_policy = isinstance(json.loads(body), dict)
    except ValueError:
        is_policy = False
    if not is_policy:
        raise OSSError("InvalidPolicyDocument")
    call.store.put_bucket(replace(call.require_bucket(), policy=body.decode()))
    return Response()


async def get_bucket_policy(call: Call) -> Response:
    """Answer the policy as it was given."""
    bucket = call.require_bucket()
    if not bucket.policy:
        raise OSSError("NoSuchBucketPolicy", extra={"BucketName": bucket.name})
    return Response(200, {"Content-Type": _JSON}, bucket.policy.encode())


async def delete_bucket_policy(call: Call) -> Response:
    """Forget the policy; a bucket without one is 204 as well."""
    call.store.put_bucket(replace(call.require_bucket(), policy=""))
    return Response(204)
