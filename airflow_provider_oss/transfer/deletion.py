"""Many objects deleted, as many in a request as OSS takes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from airflow_provider_oss import limits
from airflow_provider_oss.exceptions import ErrorDetails, OSSBadResponse
from airflow_provider_oss.model import ObjectRef

if TYPE_CHECKING:
    from tenacity import Retrying

_NOT_IN_XML: Final = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]")
"""The request's list of keys is XML 1.0, which cannot hold these: a CR would name the key with an LF in its place."""


class DeletingClient(Protocol):
    """What of a client is needed here."""

    def delete_object(self, ref: ObjectRef) -> None:
        """Delete an object. That it is not there is no error (DeleteObject)."""

    def delete_objects(self, bucket: str, keys: Sequence[str]) -> list[str]:
        """Delete up to 1000 objects; return the keys that OSS reports, missing ones too (DeleteMultipleObjects)."""


def delete_all(client: DeletingClient, retrying: Retrying, bucket: str, keys: Sequence[str]) -> Iterator[list[str]]:
    """Delete these objects; yield the keys that OSS reports deleted, missing ones too, after every request."""
    listed = [key for key in keys if not _NOT_IN_XML.search(key)]
    for start in range(0, len(listed), limits.MAX_KEYS_PER_DELETE):
        yield retrying(client.delete_objects, bucket, listed[start : start + limits.MAX_KEYS_PER_DELETE])
    for key in keys:
        if _NOT_IN_XML.search(key):
            retrying(client.delete_object, ObjectRef(bucket, key))
            yield [key]


def check_all_deleted(bucket: str, wanted: Sequence[str], reported: Sequence[str]) -> None:
    """Raise OSSBadResponse unless OSS reported all of these deleted: another attempt deletes the rest."""
    done = set(reported)
    if left := [key for key in wanted if key not in done]:
        raise OSSBadResponse(
            f"OSS did not report {len(left)} of {len(wanted)} objects deleted, among them {left[0]!r}",
            ErrorDetails(bucket),
        )
