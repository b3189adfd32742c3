"""A client between the engine and the real one, that can interfere before and after every call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from airflow_provider_oss.clients.object_client import OSSObjectClient
from airflow_provider_oss.clients.settings import Credentials
from airflow_provider_oss.model import (
    CompletedPart,
    ListedUpload,
    ObjectInfo,
    ObjectOptions,
    ObjectRef,
    StoredObject,
    StoredPart,
)
from airflow_provider_oss.ports import Body


def _nothing(_operation: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Interference:
    """Called with OSS's name of the operation, in the thread of the call."""

    before: Callable[[str], None] = _nothing
    after: Callable[[str], None] = _nothing
    """Also when the call failed."""


UNDISTURBED: Final = Interference()


class DisturbedClient:
    """Hands every call of an upload on, and tells the interference."""

    def __init__(self, client: OSSObjectClient, interference: Interference) -> None:
        self._client = client
        self._interference = interference
        self.acknowledged: list[tuple[str, CompletedPart]] = []
        """Upload id and part, for every part whose acknowledgement arrived."""

    @property
    def real(self) -> OSSObjectClient:
        """The client that does the work."""
        return self._client

    def replace_credentials(self, credentials: Credentials) -> None:
        self._client.replace_credentials(credentials)

    def renew_credentials(self) -> bool:
        return self._client.renew_credentials()

    def _call(self, operation: str, act: Callable[[], Any]) -> Any:
        self._interference.before(operation)
        try:
            return act()
        finally:
            self._interference.after(operation)

    def put_object(self, ref: ObjectRef, body: Body, crc64: int, options: ObjectOptions) -> StoredObject:
        return self._call("PutObject", lambda: self._client.put_object(ref, body, crc64, options))

    def put_stream(
        self, ref: ObjectRef, chunks: Iterator[bytes], content_length: int | None, options: ObjectOptions
    ) -> StoredObject:
        return self._call("PutObject", lambda: self._client.put_stream(ref, chunks, content_length, options))

    def head_object(self, ref: ObjectRef) -> ObjectInfo:
        return self._call("HeadObject", lambda: self._client.head_object(ref))

    def initiate_multipart_upload(self, ref: ObjectRef, options: ObjectOptions) -> str:
        return self._call("InitiateMultipartUpload", lambda: self._client.initiate_multipart_upload(ref, options))

    def begin_upload_part(
        self, ref: ObjectRef, upload_id: str, part_number: int, body: Body, crc64: int, options: ObjectOptions
    ) -> Callable[[], CompletedPart]:
        self._interference.before("UploadPart")
        try:
            answer = self._client.begin_upload_part(ref, upload_id, part_number, body, crc64, options)
        except BaseException:
            self._interference.after("UploadPart")
            raise

        def finish() -> CompletedPart:
            try:
                part = answer()
            finally:
                self._interference.after("UploadPart")
            self.acknowledged.append((upload_id, part))
            return part

        return finish

    def list_parts(self, ref: ObjectRef, upload_id: str) -> Sequence[StoredPart]:
        return self._call("ListParts", lambda: self._client.list_parts(ref, upload_id))

    def complete_multipart_upload(
        self, ref: ObjectRef, upload_id: str, parts: Iterable[CompletedPart], options: ObjectOptions
    ) -> StoredObject:
        return self._call(
            "CompleteMultipartUpload",
            lambda: self._client.complete_multipart_upload(ref, upload_id, parts, options),
        )

    def list_uploads(self, ref: ObjectRef) -> Sequence[ListedUpload]:
        return self._call("ListMultipartUploads", lambda: self._client.list_uploads(ref))

    def abort_multipart_upload(self, ref: ObjectRef, upload_id: str) -> None:
        self._call("AbortMultipartUpload", lambda: self._client.abort_multipart_upload(ref, upload_id))
