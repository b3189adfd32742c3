"""From method and sub-resources to the operation and its handler."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from airflow_provider_oss.emulator.errors import invalid_argument, not_implemented
from airflow_provider_oss.emulator.operations import (
    buckets,
    complete,
    configuration,
    deletes,
    lifecycle,
    listing,
    multipart,
    properties,
    public_access,
    reads,
    symlinks,
    versioning,
    writes,
)
from airflow_provider_oss.emulator.subresources import SELECTORS, UNKEPT_HEADERS, UNKEPT_OF_BUCKETS, unsupported

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from airflow_provider_oss.emulator.operations.call import Call
    from airflow_provider_oss.emulator.wire.http import Request, Response, Target

    Handler = Callable[[Call], Awaitable[Response]]


class Access(Enum):
    """What an anonymous sender must be allowed to do."""

    READ = "read"
    WRITE = "write"
    OWN = "own"
    """Never allowed."""


class Level(Enum):
    """What a request is about."""

    SERVICE = "service"
    BUCKET = "bucket"
    OBJECT = "object"


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of OSS that this server has."""

    name: str
    handler: Handler
    access: Access = Access.OWN


_COPY_SOURCE: Final = "x-oss-copy-source"
_COPIES: Final = {
    "PutObject": Operation("CopyObject", writes.copy_object),
    "UploadPart": Operation("UploadPartCopy", multipart.upload_part_copy),
}
"""What an operation becomes when the request names a copy source."""

_LIST_OBJECTS_V2: Final = Operation("ListObjectsV2", listing.list_objects_v2, Access.READ)

_TABLE: dict[tuple[str, Level, str], Operation] = {
    ("GET", Level.SERVICE, ""): Operation("ListBuckets", buckets.list_buckets),
    ("GET", Level.SERVICE, "tagging"): Operation("ListBuckets", buckets.list_buckets),
    ("PUT", Level.BUCKET, ""): Operation("PutBucket", buckets.put_bucket),
    ("DELETE", Level.BUCKET, ""): Operation("DeleteBucket", buckets.delete_bucket),
    ("GET", Level.BUCKET, ""): Operation("ListObjects", listing.list_objects, Access.READ),
    ("HEAD", Level.BUCKET, ""): Operation("HeadBucket", buckets.head_bucket, Access.READ),
    ("GET", Level.BUCKET, "bucketInfo"): Operation("GetBucketInfo", buckets.get_bucket_info),
    ("GET", Level.BUCKET, "location"): Operation("GetBucketLocation", buckets.get_bucket_location),
    ("GET", Level.BUCKET, "acl"): Operation("GetBucketAcl", buckets.get_bucket_acl),
    ("PUT", Level.BUCKET, "acl"): Operation("PutBucketAcl", buckets.put_bucket_acl),
    ("GET", Level.BUCKET, "publicAccessBlock"): Operation(
        "GetBucketPublicAccessBlock", public_access.get_bucket_public_access_block
    ),
    ("PUT", Level.BUCKET, "publicAccessBlock"): Operation(
        "PutBucketPublicAccessBlock", public_access.put_bucket_public_access_block
    ),
    ("DELETE", Level.BUCKET, "publicAccessBlock"): Operation(
        "DeleteBucketPublicAccessBlock", public_access.delete_bucket_public_access_block
    ),
    ("GET", Level.BUCKET, "versioning"): Operation("GetBucketVersioning", versioning.get_bucket_versioning),
    ("PUT", Level.BUCKET, "versioning"): Operation("PutBucketVersioning", versioning.put_bucket_versioning),
    ("GET", Level.BUCKET, "versions"): Operation("ListObjectVersions", versioning.list_object_versions),
    ("GET", Level.BUCKET, "tagging"): Operation("GetBucketTags", configuration.get_bucket_tags),
    ("PUT", Level.BUCKET, "tagging"): Operation("PutBucketTags", configuration.put_bucket_tags),
    ("DELETE", Level.BUCKET, "tagging"): Operation("DeleteBucketTags", configuration.delete_bucket_tags),
    ("GET", Level.BUCKET, "policy"): Operation("GetBucketPolicy", configuration.get_bucket_policy),
    ("PUT", Level.BUCKET, "policy"): Operation("PutBucketPolicy", configuration.put_bucket_policy),
    ("DELETE", Level.BUCKET, "policy"): Operation("DeleteBucketPolicy", configuration.delete_bucket_policy),
    ("GET", Level.BUCKET, "lifecycle"): Operation("GetBucketLifecycle", lifecycle.get_bucket_lifecycle),
    ("PUT", Level.BUCKET, "lifecycle"): Operation("PutBucketLifecycle", lifecycle.put_bucket_lifecycle),
    ("DELETE", Level.BUCKET, "lifecycle"): Operation("DeleteBucketLifecycle", lifecycle.delete_bucket_lifecycle),
    ("GET", Level.BUCKET, "uploads"): Operation("ListMultipartUploads", multipart.list_multipart_uploads),
    ("POST", Level.BUCKET, "delete"): Operation("DeleteMultipleObjects", deletes.delete_multiple_objects, Access.WRITE),
    ("PUT", Level.OBJECT, ""): Operation("PutObject", writes.put_object, Access.WRITE),
    ("GET", Level.OBJECT, ""): Operation("GetObject", reads.get_object, Access.READ),
    ("HEAD", Level.OBJECT, ""): Operation("HeadObject", reads.head_object, Access.READ),
    ("HEAD", Level.OBJECT, "objectMeta"): Operation("GetObjectMeta", reads.get_object_meta, Access.READ),
    ("GET", Level.OBJECT, "objectMeta"): Operation("GetObjectMeta", reads.get_object_meta, Access.READ),
    ("DELETE", Level.OBJECT, ""): Operation("DeleteObject", deletes.delete_object, Access.WRITE),
    ("POST", Level.OBJECT, "append"): Operation("AppendObject", writes.append_object, Access.WRITE),
    ("GET", Level.OBJECT, "acl"): Operation("GetObjectAcl", properties.get_object_acl),
    ("PUT", Level.OBJECT, "acl"): Operation("PutObjectAcl", properties.put_object_acl),
    ("GET", Level.OBJECT, "tagging"): Operation("GetObjectTagging", properties.get_object_tagging),
    ("PUT", Level.OBJECT, "tagging"): Operation("PutObjectTagging", properties.put_object_tagging),
    ("DELETE", Level.OBJECT, "tagging"): Operation("DeleteObjectTagging", properties.delete_object_tagging),
    ("GET", Level.OBJECT, "symlink"): Operation("GetSymlink", symlinks.get_symlink, Access.READ),
    ("PUT", Level.OBJECT, "symlink"): Operation("PutSymlink", symlinks.put_symlink, Access.WRITE),
    ("DELETE", Level.OBJECT, "symlink"): Operation("DeleteObject", deletes.delete_object, Access.WRITE),
    ("POST", Level.OBJECT, "uploads"): Operation(
        "InitiateMultipartUpload", multipart.initiate_multipart_upload, Access.WRITE
    ),
    ("PUT", Level.OBJECT, "partNumber uploadId"): Operation("UploadPart", multipart.upload_part, Access.WRITE),
    ("GET", Level.OBJECT, "uploadId"): Operation("ListParts", multipart.list_parts),
    ("POST", Level.OBJECT, "uploadId"): Operation(
        "CompleteMultipartUpload", complete.complete_multipart_upload, Access.WRITE
    ),
    ("DELETE", Level.OBJECT, "uploadId"): Operation(
        "AbortMultipartUpload", multipart.abort_multipart_upload, Access.WRITE
    ),
}


@dataclass(frozen=True, slots=True)
class Route:
    """How an operation is asked for: a method, the sub-resources, apart by spaces, and maybe something more."""

    level: Level
    method: str
    selectors: str
    operation: Operation
    condition: str = ""
    """A header or a parameter that the request has besides."""


def routes() -> Iterator[Route]:
    """Yield all that this server answers, in the order of the table."""
    for (method, level, selectors), operation in _TABLE.items():
        yield Route(level, method, selectors, operation)
        if operation.name in _COPIES:
            yield Route(level, method, selectors, _COPIES[operation.name], _COPY_SOURCE)
        if operation.name == "ListObjects":
            yield Route(level, method, selectors, _LIST_OBJECTS_V2, "list-type=2")


def find_operation(request: Request, target: Target) -> Operation:
    """Return the operation that a request asks for. Raises OSSError 501 NotImplemented for what this server lacks."""
    level = Level.OBJECT if target.key else Level.BUCKET if target.bucket else Level.SERVICE
    _check_supported(request, level)
    selectors = " ".join(sorted({name for name, _ in request.query if name in SELECTORS}))
    operation = _TABLE.get((request.method, level, selectors))
    if operation is None:
        raise not_implemented(f"{request.method} on a {level.value} with sub-resources [{selectors}]")
    if operation.name == "ListObjects":
        return _listing(request, operation)
    if _COPY_SOURCE in request.headers:
        return _COPIES.get(operation.name, operation)
    return operation


def _check_supported(request: Request, level: Level) -> None:
    """Raise OSSError 501 NotImplemented when a parameter or a header asks for what this server lacks."""
    lacking = sorted({name for name, value in request.query if unsupported(name, value)})
    if lacking:
        raise not_implemented(f"The sub-resource {', '.join(lacking)}")
    unkept = UNKEPT_HEADERS | UNKEPT_OF_BUCKETS if level is Level.BUCKET else UNKEPT_HEADERS
    headers = sorted(unkept & request.headers.keys())
    if headers:
        raise not_implemented(f"The header {', '.join(headers)}")


def _listing(request: Request, operation: Operation) -> Operation:
    version = request.parameter("list-type", "1")
    if version not in ("1", "2"):
        raise invalid_argument("list-type", version)
    return _LIST_OBJECTS_V2 if version == "2" else operation
