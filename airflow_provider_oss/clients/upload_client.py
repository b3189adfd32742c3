"""
OSSUploadClient, which the upload engine uses: one request a call, nothing repeated, every checksum compared.

``OSSApi`` signs and sends the calls, without an SDK. ``SummedBody`` and ``StreamBody`` compute the CRC-64 of a body
while it is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Final

from airflow_provider_oss import __version__, limits
from airflow_provider_oss.cancellation import Cancellation
from airflow_provider_oss.clients.credentials.holder import CredentialsHolder
from airflow_provider_oss.clients.credentials.sources import Credentials, CredentialSource
from airflow_provider_oss.clients.errors import proves_signature, refusal, renamed
from airflow_provider_oss.clients.exchange import RequestBody, Response
from airflow_provider_oss.clients.messages import (
    SAFE_IN_XML,
    Answer,
    check_root,
    compare_crc64,
    completion,
    content_headers,
    copied_part_etag,
    copy_source_headers,
    crc64_of,
    etag_of,
    object_info,
    parts_page,
    publishing_headers,
    put_object_answer,
    sending_headers,
    stored_object,
    upload_id_of,
    uploads_page,
)
from airflow_provider_oss.clients.session import PooledSession
from airflow_provider_oss.clients.settings import Addressing, ClientSettings
from airflow_provider_oss.clients.signing import ClockCheck, ServerClock, make_signer
from airflow_provider_oss.exceptions import (
    ErrorDetails,
    OSSChecksumMismatch,
    OSSCredentialsExpired,
    OSSInvalidArgument,
    OSSNoSuchKey,
    OSSProviderError,
    OSSSourceChanged,
)
from airflow_provider_oss.failures import SourceFailed
from airflow_provider_oss.file_range import Body, Buffer, FileRange
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
    pages,
)
from airflow_provider_oss.proof import EMPTY, content_md5, crc64, proven_etag

_CHUNK_BYTES: Final = 256 * limits.KIB


class SummedBody:
    """
    The bytes of ``body``, in blocks, with the CRC-64 of what was read last.

    Raises SourceFailed when a file cannot be read.
    """

    def __init__(self, body: Body) -> None:
        self._body = body
        self.crc64 = EMPTY

    def __iter__(self) -> Iterator[Buffer]:
        self.crc64 = EMPTY
        try:
            for block in self._body.blocks() if isinstance(self._body, FileRange) else (self._body,):
                self.crc64 = crc64(block, self.crc64)
                yield block
        except OSError as error:
            raise SourceFailed(error) from error


class StreamBody:
    """
    A stream's bytes, with their CRC-64 and number so far.

    Raises SourceFailed when the stream raises, when it has other than ``content_length`` bytes (if that is given)
    or more than a single request may have (OSS API: PutObject, 5 GB); the request then breaks off and nothing is
    stored. Made with a ``content_length`` of 0, it reads the stream at once and raises errors as they are; with a
    negative one it raises OSSInvalidArgument.
    """

    def __init__(self, chunks: Iterator[bytes], content_length: int | None) -> None:
        if content_length is not None and content_length < 0:
            raise OSSInvalidArgument(f"content_length={content_length} is negative: give the bytes in the stream")
        self._chunks = chunks
        self._content_length = content_length
        self.crc64 = EMPTY
        self.size_bytes = 0
        if content_length == 0:
            # A request for no bytes is whole with its headers: when its body is read, the object is there already
            for chunk in chunks:
                self._counted(chunk)

    def __iter__(self) -> Iterator[bytes]:
        try:
            # Counted before they are joined: the last bytes go out only when the stream has ended as it should
            yield from _coalesced(map(self._counted, self._chunks))
            self._check_complete()
        except Exception as error:
            raise SourceFailed(error) from error

    def _counted(self, chunk: bytes) -> bytes:
        self.size_bytes += len(chunk)
        if self._content_length is not None and self.size_bytes > self._content_length:
            raise OSSSourceChanged(f"the stream has more than the content_length={self._content_length} bytes given")
        if self.size_bytes > limits.MAX_PUT_SIZE_BYTES:
            raise OSSInvalidArgument(
                f"the stream has more than {limits.MAX_PUT_SIZE_BYTES} bytes (5 GB), the most that OSS takes in one "
                "request: upload it as a file with upload_file"
            )
        self.crc64 = crc64(chunk, self.crc64)
        return chunk

    def _check_complete(self) -> None:
        if self._content_length is not None and self.size_bytes < self._content_length:
            raise OSSSourceChanged(
                f"the stream ended after {self.size_bytes} bytes, {self._content_length} were given as content_length"
            )


def _coalesced(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Join small chunks: a stream of lines would otherwise cost a system call for each."""
    pending = bytearray()
    for chunk in chunks:
        if len(pending) >= _CHUNK_BYTES:
            yield bytes(pending)
            pending.clear()
        pending += chunk
    if pending:
        yield bytes(pending)


_POOL_SIZE: Final = 100
"""Connections kept open: as many as there may be part workers."""
_USER_AGENT: Final = f"airflow-provider-oss/{__version__}"


class OSSApi:
    """
    Signs and sends calls of OSS's API, for one account at one endpoint. Thread-safe.

    oss2 would do the same, but importing it takes longer than sending half a gigabyte (it brings two more SDKs), and
    every task is a process of its own. What few tasks need is left to it, see ``buckets``.

    Once ``cancellation`` is requested every wait ends, and so does every further call: see ``wire.Connection``.
    """

    def __init__(
        self,
        settings: ClientSettings,
        on_new_credentials: Callable[[Credentials], None],
        cancellation: Cancellation | None = None,
    ) -> None:
        self.settings = settings
        self.clock = ServerClock()
        self.credentials = CredentialsHolder(settings.credentials, on_new_credentials, self.clock.now)
        self.session = PooledSession(settings, _POOL_SIZE, cancellation)
        self._addressing = Addressing(settings)
        self._signer = make_signer(settings, self.credentials, self.clock)

    def call(
        self,
        method: str,
        details: ErrorDetails,
        params: Mapping[str, str],
        headers: Mapping[str, str],
        body: RequestBody = None,
        *,
        reads_document: bool = True,
    ) -> Answer:
        """Send one request and return its answer. See ``begin``."""
        return self.begin(method, details, params, headers, body, reads_document=reads_document)()

    def begin(
        self,
        method: str,
        details: ErrorDetails,
        params: Mapping[str, str],
        headers: Mapping[str, str],
        body: RequestBody = None,
        *,
        reads_document: bool = True,
    ) -> Callable[[], Answer]:
        """
        Send one request about the bucket and key of ``details``, once; return what waits for its answer.

        ``headers`` have names in lower case. Without ``reads_document`` nothing but the headers of a success is needed:
        whatever else comes is ignored. Both steps raise the classes of ``exceptions`` for an answer that is no success
        and for none at all, with ``details``. When OSS refuses the time of the request, the clock is corrected.
        """
        opening = self._begin(method, details, params, headers, body)

        def finish() -> Answer:
            response = opening()
            with renamed(details):
                document = response.read() if reads_document else b""
                response.close()
            return Answer(response.status, response.headers, document)

        return finish

    def open(self, details: ErrorDetails, params: Mapping[str, str], headers: Mapping[str, str]) -> Response:
        """Send a GET and return its successful answer, to be read, and closed, by the caller. Raises as ``begin``."""
        return self._begin("GET", details, params, headers, None, is_document=False)()

    def _begin(
        self,
        method: str,
        details: ErrorDetails,
        params: Mapping[str, str],
        headers: Mapping[str, str],
        body: RequestBody,
        *,
        is_document: bool = True,
    ) -> Callable[[], Response]:
        bucket, key = details.bucket or "", details.key or ""
        clock_check = ClockCheck(self.clock)
        signed = {"user-agent": _USER_AGENT, **headers}
        self._signer.sign(method, bucket, key, params, signed)
        with renamed(details):
            url = self._addressing.url(bucket, key)
            pending = self.session.begin(method, url, params, signed, body, is_document=is_document)

        def finish() -> Response:
            with renamed(details):
                response = pending.wait()
                if response.status // 100 == 2:  # noqa: PLR2004
                    self.credentials.accepted()
                    return response
                document = response.read()
                response.close()
            answer = Answer(response.status, response.headers, document)
            # Not kept in a variable here: with its traceback it would keep this frame, and a connection, alive
            raise self._noted(clock_check.corrected(refusal(answer, details), answer.headers), signed)

        return finish

    def _noted(self, error: OSSProviderError, signed: Mapping[str, str]) -> OSSProviderError:
        if isinstance(error, OSSCredentialsExpired):
            self.credentials.refused(signed.get("x-oss-security-token"))
        elif proves_signature(error):
            self.credentials.accepted()
        return error


class OSSUploadClient:
    """
    Implements ``ports.SendingClient``. Thread-safe.

    ``on_new_credentials`` is called, in the thread that makes the client, with what a source of credentials gave.
    Once ``cancellation`` is requested every wait ends, and so does every further call: see ``wire.Connection``.
    """

    def __init__(
        self,
        settings: ClientSettings,
        on_new_credentials: Callable[[Credentials], None] = lambda _: None,
        cancellation: Cancellation | None = None,
    ) -> None:
        self._api = OSSApi(settings, on_new_credentials, cancellation)

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

    @property
    def sums_what_it_sends(self) -> bool:
        """Whether there is TLS: without it the kernel sends files, and their bytes never pass through this process."""
        return self._api.settings.endpoint.startswith("https:")

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
                stored = put_object_answer(answer(), options, details, len(body))
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
        self, ref: ObjectRef, upload_id: str, part_number: int, body: Body, crc64: int | None, options: ObjectOptions
    ) -> CompletedPart:
        """UploadPart."""
        return self.begin_upload_part(ref, upload_id, part_number, body, crc64, options)()

    def begin_upload_part(
        self, ref: ObjectRef, upload_id: str, part_number: int, body: Body, crc64: int | None, options: ObjectOptions
    ) -> Callable[[], CompletedPart]:
        """Send an UploadPart; return what waits for its answer. Without ``crc64`` it is made of what is sent."""
        details = ErrorDetails(ref.bucket, ref.key, upload_id, part_number)
        params = {"uploadId": upload_id, "partNumber": str(part_number)}
        headers = sending_headers(options) | {"content-length": str(len(body))}
        known = SummedBody(body) if crc64 is None else crc64
        sent = known if isinstance(known, SummedBody) else body
        try:
            answer = self._api.begin("PUT", details, params, headers, sent, reads_document=False)
        except SourceFailed as error:
            raise error.cause from None

        def finish() -> CompletedPart:
            with renamed(details):
                answered = answer().headers
                stored = StoredPart(part_number, len(body), etag_of(answered), crc64_of(answered))
            sent_crc64 = known.crc64 if isinstance(known, SummedBody) else known
            etag = proven_etag(stored, body, sent_crc64)
            if not etag:
                raise OSSChecksumMismatch(
                    f"OSS received another part than was sent: CRC-64 {stored.crc64}, ETag {stored.etag} for "
                    f"{sent_crc64}",
                    details,
                )
            return CompletedPart(part_number, stored.size_bytes, etag, sent_crc64)

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

    def list_parts(
        self, ref: ObjectRef, upload_id: str, first: int = 1, last: int = limits.MAX_PARTS
    ) -> tuple[StoredPart, ...]:
        """ListParts, all pages with parts from number ``first`` to number ``last``."""
        details = ErrorDetails(ref.bucket, ref.key, upload_id)

        def ask(marker: str) -> Page[StoredPart]:
            params = {"uploadId": upload_id, "max-parts": "1000", "part-number-marker": marker, **SAFE_IN_XML}
            with renamed(details):
                return parts_page(self._api.call("GET", details, params, {}).body)

        found: list[StoredPart] = []
        for page in pages(ask, str(first - 1) if first > 1 else "", details):
            found.extend(part for part in page.items if first <= part.number <= last)
            if page.last is not None and page.last >= last:
                break
        return tuple(found)

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
        ask = partial(self.list_multipart_uploads, ref.bucket, ref.key)
        found = pages(ask, ("", ""), ErrorDetails(ref.bucket))
        return tuple(upload for page in found for upload in page.items if upload.ref == ref)

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
