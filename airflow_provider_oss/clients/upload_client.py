"""The ObjectClient of the upload engine. One request a call, nothing repeated, every checksum compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from airflow_provider_oss.clients.answers import compare_crc64, stored_object
from airflow_provider_oss.clients.api import OSSApi
from airflow_provider_oss.clients.credentials.sources import Credentials, CredentialSource
from airflow_provider_oss.clients.documents import (
    SAFE_IN_XML,
    check_root,
    completion,
    copied_part_etag,
    parts_page,
    upload_id_of,
    uploads_page,
)
from airflow_provider_oss.clients.errors import renamed
from airflow_provider_oss.clients.headers import (
    content_headers,
    copy_source_headers,
    crc64_of,
    object_info,
    publishing_headers,
    sending_headers,
)
from airflow_provider_oss.clients.settings import ClientSettings
from airflow_provider_oss.exceptions import (
    ErrorDetails,
    OSSChecksumMismatch,
    OSSNoSuchKey,
    OSSSourceChanged,
)
from airflow_provider_oss.model import (
    CompletedPart,
    ListedUpload,
    ObjectInfo,
    ObjectOptions,
    ObjectRange,
    ObjectRef,
    Page,
    StoredObject,
    StoredPart,
)
from airflow_provider_oss.ports import Body
from airflow_provider_oss.verify import content_md5, proven_etag


class OSSUploadClient:
    """
    Implements ``ports.SendingClient``. Thread-safe.

    ``on_new_credentials`` is called, in the thread that makes the client, with what a source of credentials gave.
    """

    def __init__(
        self, settings: ClientSettings, on_new_credentials: Callable[[Credentials], None] = lambda _: None
    ) -> None:
        self._api = OSSApi(settings, on_new_credentials)

    @property
    def credentials(self) -> Credentials:
        """What requests are signed with now. Raises what ``CredentialsHolder.current`` does."""
        return self._api.credentials.current

    def replace_credentials(self, credentials: Credentials | CredentialSource) -> None:
        """Sign with these from now on."""
        self._api.credentials.replace(credentials)

    def renew_credentials(self) -> bool:
        """Ask the source of the credentials for others than those that OSS refused; return whether there are any."""
        return self._api.credentials.renew()

    def server_time(self) -> float:
        """Return the time that OSS has, in unix seconds; as exact as its answers so far made necessary."""
        return self._api.clock.now()

    def put_object(self, ref: ObjectRef, body: Body, crc64: int, options: ObjectOptions) -> StoredObject:
        """PutObject."""
        return self.begin_put_object(ref, body, crc64, options)()

    def begin_put_object(
        self, ref: ObjectRef, body: Body, crc64: int, options: ObjectOptions
    ) -> Callable[[], StoredObject]:
        """Send a PutObject; return what waits for its answer."""
        details = ErrorDetails(ref.bucket, ref.key)
        headers = content_headers(ref, options) | publishing_headers(options) | sending_headers(options)
        headers["content-md5"] = content_md5(body)  # a damaged object must not appear, not even until it is repeated
        answer = self._api.begin("PUT", details, {}, headers, body)

        def finish() -> StoredObject:
            with renamed(details):
                stored = stored_object(answer(), options, details, len(body))
            compare_crc64(stored.crc64, crc64, details)
            return stored

        return finish

    def head_object(self, ref: ObjectRef) -> ObjectInfo:
        """HeadObject."""
        return self.begin_head_object(ref)()

    def begin_head_object(self, ref: ObjectRef) -> Callable[[], ObjectInfo]:
        """Send a HeadObject; return what waits for its answer."""
        details = ErrorDetails(ref.bucket, ref.key)
        answer = self._api.begin("HEAD", details, {}, {})

        def finish() -> ObjectInfo:
            with renamed(details):
                return object_info(ref, answer().headers)

        return finish

    def initiate_multipart_upload(self, ref: ObjectRef, options: ObjectOptions) -> str:
        """InitiateMultipartUpload."""
        details = ErrorDetails(ref.bucket, ref.key)
        params = {"uploads": "", **SAFE_IN_XML}
        with renamed(details):
            return upload_id_of(self._api.call("POST", details, params, content_headers(ref, options)).body)

    def upload_part(
        self, ref: ObjectRef, upload_id: str, part_number: int, body: Body, crc64: int, options: ObjectOptions
    ) -> CompletedPart:
        """UploadPart."""
        return self.begin_upload_part(ref, upload_id, part_number, body, crc64, options)()

    def begin_upload_part(
        self, ref: ObjectRef, upload_id: str, part_number: int, body: Body, crc64: int, options: ObjectOptions
    ) -> Callable[[], CompletedPart]:
        """Send an UploadPart; return what waits for its answer."""
        details = ErrorDetails(ref.bucket, ref.key, upload_id, part_number)
        params = {"uploadId": upload_id, "partNumber": str(part_number)}
        answer = self._api.begin("PUT", details, params, sending_headers(options), body, reads_document=False)

        def finish() -> CompletedPart:
            with renamed(details):
                headers = answer().headers
                stored = StoredPart(part_number, len(body), headers.get("etag", "").strip('"'), crc64_of(headers))
            etag = proven_etag(stored, body, crc64)
            if not etag:
                raise OSSChecksumMismatch(
                    f"OSS received another part than was sent: CRC-64 {stored.crc64}, ETag {stored.etag} for {crc64}",
                    details,
                )
            return CompletedPart(part_number, stored.size_bytes, etag, crc64)

        return finish

    def copy_object(self, source: ObjectRange, ref: ObjectRef, options: ObjectOptions) -> StoredObject:
        """CopyObject. The copy has the metadata and tags of ``options`` and none of the source's."""
        details = ErrorDetails(ref.bucket, ref.key)
        headers = content_headers(ref, options) | publishing_headers(options) | sending_headers(options)
        headers |= {"x-oss-metadata-directive": "REPLACE", "x-oss-tagging-directive": "Replace"}
        headers |= copy_source_headers(source)
        with renamed(details), being_there(source.ref):
            answer = self._api.call("PUT", details, {}, headers)
            check_root(answer.body, "CopyObjectResult")
            return stored_object(answer, options, details)

    def upload_part_copy(
        self, ref: ObjectRef, upload_id: str, part_number: int, source: ObjectRange, options: ObjectOptions
    ) -> CompletedPart:
        """UploadPartCopy."""
        details = ErrorDetails(ref.bucket, ref.key, upload_id, part_number)
        params = {"uploadId": upload_id, "partNumber": str(part_number)}
        last = source.offset_bytes + source.size_bytes - 1
        headers = copy_source_headers(source) | sending_headers(options)
        headers["x-oss-copy-source-range"] = f"bytes={source.offset_bytes}-{last}"
        with renamed(details), being_there(source.ref):
            answer = self._api.call("PUT", details, params, headers)
            etag = copied_part_etag(answer.body)
            return CompletedPart(part_number, source.size_bytes, etag, crc64_of(answer.headers))

    def list_parts(self, ref: ObjectRef, upload_id: str) -> tuple[StoredPart, ...]:
        """ListParts, all pages."""
        return tuple(self._listed_parts(ref, upload_id))

    def _listed_parts(self, ref: ObjectRef, upload_id: str) -> Iterator[StoredPart]:
        details = ErrorDetails(ref.bucket, ref.key, upload_id)
        marker = ""
        while marker is not None:
            params = {"uploadId": upload_id, "max-parts": "1000", "part-number-marker": marker, **SAFE_IN_XML}
            with renamed(details):
                page = parts_page(self._api.call("GET", details, params, {}).body, marker)
            yield from page.items
            marker = page.next_token

    def complete_multipart_upload(
        self, ref: ObjectRef, upload_id: str, parts: Iterable[CompletedPart], options: ObjectOptions
    ) -> StoredObject:
        """CompleteMultipartUpload. The whole object's CRC-64 is in the answer, for the caller to compare."""
        details = ErrorDetails(ref.bucket, ref.key, upload_id)
        body = completion(parts)
        headers = publishing_headers(options) | {"content-md5": content_md5(body)}
        with renamed(details):
            answer = self._api.call("POST", details, {"uploadId": upload_id}, headers, body)
            return stored_object(answer, options, details)

    def list_multipart_uploads(self, bucket: str, prefix: str, token: tuple[str, str]) -> Page[ListedUpload]:
        """ListMultipartUploads, one page. The token is (key marker, upload id marker)."""
        details = ErrorDetails(bucket)
        params = {
            "uploads": "",
            "prefix": prefix,
            "key-marker": token[0],
            "upload-id-marker": token[1],
            "max-uploads": "1000",
            **SAFE_IN_XML,
        }
        with renamed(details):
            return uploads_page(self._api.call("GET", details, params, {}).body, bucket)

    def list_uploads(self, ref: ObjectRef) -> tuple[ListedUpload, ...]:
        """ListMultipartUploads of one key, all pages."""
        return tuple(self._listed_uploads(ref))

    def _listed_uploads(self, ref: ObjectRef) -> Iterator[ListedUpload]:
        token = ("", "")
        while token is not None:
            page = self.list_multipart_uploads(ref.bucket, ref.key, token)
            yield from (upload for upload in page.items if upload.ref == ref)
            token = page.next_token

    def abort_multipart_upload(self, ref: ObjectRef, upload_id: str) -> None:
        """AbortMultipartUpload."""
        details = ErrorDetails(ref.bucket, ref.key, upload_id)
        self._api.call("DELETE", details, {"uploadId": upload_id}, {})


@contextmanager
def being_there(ref: ObjectRef) -> Iterator[None]:
    """Raise OSSSourceChanged where OSS says that an object which was there is not there any more."""
    try:
        yield
    except OSSNoSuchKey as error:
        raise OSSSourceChanged(f"{ref} was deleted while it was read", error.details) from error
