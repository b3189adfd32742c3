"""What an anonymous request may do, by the ACLs of bucket and object. Pure, but for the look-up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from airflow_provider_oss.emulator.errors import OSSError
from airflow_provider_oss.emulator.operations.call import find_object
from airflow_provider_oss.emulator.operations.routes import Access

if TYPE_CHECKING:
    from airflow_provider_oss.emulator.operations.call import Call

_ALLOWED: Final = {
    "private": frozenset[Access](),
    "public-read": frozenset({Access.READ}),
    "public-read-write": frozenset({Access.READ, Access.WRITE}),
}


def check_access(call: Call, access: Access) -> None:
    """
    Raise OSSError 403 AccessDenied when the request is anonymous and the ACLs do not allow it.

    Where public access is blocked they allow nothing. For reading an object its own ACL wins over the bucket's; writing
    is up to the bucket.
    """
    if call.is_owner:
        return
    if access is Access.OWN:
        raise _denied()
    bucket = call.require_bucket()
    if bucket.blocks_public_access:
        raise _denied()
    acl = bucket.acl
    record = find_object(call.store, bucket.name, call.target.key, call.version_id())
    if access is Access.READ and record is not None and record.metadata.acl != "default":
        acl = record.metadata.acl
    if access not in _ALLOWED[acl]:
        raise _denied()


def _denied() -> OSSError:
    return OSSError("AccessDenied", "Anonymous user has no right to access this bucket or object.")
