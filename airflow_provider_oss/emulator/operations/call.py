"""A request that has been authenticated, with all that its handler may use."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from airflow_provider_oss.emulator.addressing import is_bucket_name
from airflow_provider_oss.emulator.errors import OSSError, invalid_argument
from airflow_provider_oss.emulator.ram import Need, resource_of
from airflow_provider_oss.emulator.wire.http import encode_percent

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_oss.emulator.body import Body
    from airflow_provider_oss.emulator.limits import Limits
    from airflow_provider_oss.emulator.ram import RamUser
    from airflow_provider_oss.emulator.state.records import BucketRecord, ObjectRecord
    from airflow_provider_oss.emulator.state.store import Store
    from airflow_provider_oss.emulator.wire.http import Request, Target

OWNER_ID: Final = "1000000000000001"
OWNER_NAME: Final = "local"
RESOURCE_GROUP_ID: Final = "rg-local"
NULL_VERSION: Final = "null"
"""How OSS calls the version that was written without versioning."""
_VERSION_ID: Final = re.compile(r"[0-9A-F]{64}")


@dataclass(frozen=True, slots=True)
class Environment:
    """What all calls share: the store, the limits, and the clock."""

    store: Store
    limits: Limits
    region: str
    clock: Callable[[], float]

    @property
    def location(self) -> str:
        """The region as bucket locations spell it."""
        return f"oss-{self.region}"


@dataclass(frozen=True, slots=True)
class Call:
    """One call: the request, what it is about, and its unread body."""

    environment: Environment
    request: Request
    target: Target
    body: Body
    is_owner: bool
    """Whether the request was signed; an anonymous one has passed the ACLs."""
    user: RamUser | None = None
    """Whose policies have to allow what is done; None for the owner and for anyone."""

    @property
    def store(self) -> Store:
        """The store."""
        return self.environment.store

    @property
    def limits(self) -> Limits:
        """The limits."""
        return self.environment.limits

    def now(self) -> float:
        """Seconds since the epoch by the server's clock."""
        return self.environment.clock()

    def require_permission(self, action: str, bucket: str, key: str) -> None:
        """Raise OSSError 403 AccessDenied unless the sender may do this too, beside what the operation itself needs."""
        if self.user is not None:
            self.user.check(Need(action, resource_of(bucket, key)))

    def require_bucket(self) -> BucketRecord:
        """
        Return the bucket of the target. Raises OSSError 404 NoSuchBucket or 400 InvalidBucketName.

        To be asked again after anything that was awaited: the bucket may be gone.
        """
        return require_bucket(self.store, self.target.bucket)

    def version_id(self) -> str | None:
        """Return the version that the request names, None when it names none. Raises OSSError 400 for a bad one."""
        if not self.request.has_parameter("versionId"):
            return None
        return parse_version_id(self.request.parameter("versionId"))

    def require_object(self) -> ObjectRecord:
        """Return the object, or its version, of the request. Raises OSSError as the functions of that name do."""
        self.require_bucket()
        return require_object(self.store, self.target.bucket, self.target.key, self.version_id())

    def encoder(self) -> Callable[[str], str]:
        """How names are written into the answer. Raises OSSError 400 for an unknown ``encoding-type``."""
        kind = self.request.parameter("encoding-type")
        if kind not in ("", "url"):
            raise invalid_argument("encoding-type", kind, "Invalid Encoding Method specified in Request.")
        return encode_percent if kind else str

    def encoding_type(self) -> str | None:
        """Return the ``EncodingType`` element's text, None when names are plain."""
        return self.request.parameter("encoding-type") or None

    def number(self, name: str, default: int, lowest: int, highest: int) -> int:
        """Return a whole number of the query. Raises OSSError 400 InvalidArgument for anything else."""
        text = self.request.parameter(name)
        if not text:
            return default
        if not (text.isascii() and text.isdigit() and lowest <= int(text) <= highest):
            raise invalid_argument(name, text, f"{name} must be a number from {lowest} to {highest}.")
        return int(text)


def require_bucket(store: Store, name: str) -> BucketRecord:
    """Return the bucket. Raises OSSError 404 NoSuchBucket or 400 InvalidBucketName."""
    if not is_bucket_name(name):
        raise OSSError("InvalidBucketName", extra={"BucketName": name})
    bucket = store.bucket(name)
    if bucket is None:
        raise OSSError("NoSuchBucket", extra={"BucketName": name})
    return bucket


def require_object(store: Store, bucket: str, key: str, version_id: str | None = None) -> ObjectRecord:
    """
    Return the object of a bucket that exists, or the version of it.

    Raises OSSError 404 NoSuchKey or NoSuchVersion, or 405 MethodNotAllowed for a version that is a delete marker.
    """
    record = find_object(store, bucket, key, version_id)
    if record is not None and not record.is_delete_marker:
        return record
    if record is not None:
        raise OSSError("MethodNotAllowed", extra={"Key": key}, headers=_marker_headers(record))
    if version_id is not None:
        raise OSSError("NoSuchVersion", extra={"Key": key, "VersionId": version_id or NULL_VERSION})
    marker = next(iter(store.versions(bucket, key)), None)
    raise OSSError("NoSuchKey", extra={"Key": key}, headers=_marker_headers(marker) if marker else None)


def find_object(store: Store, bucket: str, key: str, version_id: str | None = None) -> ObjectRecord | None:
    """Return the object, or the version of it that may be a delete marker; None when there is none."""
    if version_id is None:
        return store.object(bucket, key)
    return next((found for found in store.versions(bucket, key) if found.version_id == version_id), None)


def parse_version_id(text: str) -> str:
    """Return a version id as records have it. Raises OSSError 400 for what never was one."""
    if text == NULL_VERSION:
        return ""
    if not _VERSION_ID.fullmatch(text):
        raise invalid_argument("versionId", text, "Invalid version id specified.")
    return text


def version_headers(bucket: BucketRecord, record: ObjectRecord) -> dict[str, str]:
    """Return the header that names a version: where versioning is or was on."""
    return {"x-oss-version-id": record.version_id or NULL_VERSION} if bucket.versioning else {}


def _marker_headers(marker: ObjectRecord) -> dict[str, str]:
    """Return what an error says of a delete marker that is in the way."""
    return {"x-oss-delete-marker": "true", "x-oss-version-id": marker.version_id or NULL_VERSION}


def check_key(key: str, limits: Limits) -> None:
    """Raise OSSError 400 InvalidObjectName for a key that OSS does not take."""
    size = len(key.encode("utf-8", "surrogateescape"))
    if size > limits.max_key_bytes:
        message = f"The Length of Object name must be less than {limits.max_key_bytes + 1}."
        raise OSSError("InvalidObjectName", message, extra={"ObjectName": key})
    not_unicode = any("\ud800" <= char <= "\udfff" for char in key)
    if not key or key[0] in "/\\" or not_unicode:
        raise OSSError("InvalidObjectName", extra={"ObjectName": key.encode("utf-8", "replace").decode()})
