"""The upload operators."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from airflow_provider_oss.links.oss import TRANSFER_LINKS
from airflow_provider_oss.operators.base import OSSUploadBaseOperator
from airflow_provider_oss.operators.resumable import (
    OSSResumableBaseOperator,
    OSSStreamBaseOperator,
    StreamFunction,
    as_argument,
    name_of,
    open_stream,
    urls_of,
)

if TYPE_CHECKING:
    from typing import Unpack

    from airflow.providers.common.compat.sdk import Context, ObjectStoragePath, XComArg

    from airflow_provider_oss.model import UploadResult
    from airflow_provider_oss.operators import ResumableKeywords, StreamKeywords, UploadKeywords
    from airflow_provider_oss.operators.resumable import ResumableArguments


class OSSPutObjectOperator(OSSUploadBaseOperator):
    """
    Stores text, bytes or a file as one object in one request: at most 5 GB, all or nothing.

    A retried attempt sends everything again: for large files use OSSResumableUploadOperator. For the other arguments
    see OSSUploadBaseOperator.

    :param data: text (stored as UTF-8) or bytes. Templated.
    :param file_path: path of a file on the worker, read in constant memory. Templated. Give this or ``data``.
    """

    template_fields: Sequence[str] = (*OSSUploadBaseOperator.template_fields, "data", "file_path")
    operator_extra_links = (*OSSUploadBaseOperator.operator_extra_links, *TRANSFER_LINKS)
    transfer_kind = "put"
    verbatim_fields: ClassVar[Sequence[str]] = ("data",)
    exclusive: ClassVar[Sequence[str]] = ("data", "file_path")

    data: str | bytes | None
    file_path: str | os.PathLike[str] | None

    def __init__(
        self,
        *,
        data: str | bytes | XComArg | None = None,
        file_path: str | os.PathLike[str] | XComArg | None = None,
        **kwargs: Unpack[UploadKeywords],
    ) -> None:
        super().__init__(**kwargs)
        self._keep(data=data, file_path=file_path)

    @override
    def work(self, context: Context) -> UploadResult:
        if self.file_path is not None:
            return self.hook.put_file(self.key, self.file_path, self.bucket_name, **self.object_options())
        return self.hook.put_object(self.key, self.data or b"", self.bucket_name, **self.object_options())

    def contradiction(self) -> str | None:
        """Return what is wrong when there is not one of them."""
        is_one = (self.data is None) != (self.file_path is None)
        return None if is_one else "give either data or file_path, not both and not neither"

    def sources(self) -> Sequence[str | os.PathLike[str]]:
        """Return the file, if it is one that is stored."""
        return () if self.file_path is None else (self.file_path,)


class OSSPutStreamOperator(OSSUploadBaseOperator):
    """
    Stores a stream as one object in one request: at most 5 GB, in constant memory, all or nothing.

    An error of the stream fails the task and stores nothing. A retried attempt reads and sends everything again: for
    long streams use OSSResumableStreamOperator. For the other arguments see OSSUploadBaseOperator.

    :param stream: a callable that returns an object with ``read()`` or an iterable of bytes (it is given those values
        of the task context that its parameters name), or an ObjectStoragePath, or the URL of one. Templated.
    :param content_length: bytes in the stream; None sends it in chunked transfer encoding. Templated.
    """

    template_fields: Sequence[str] = (*OSSUploadBaseOperator.template_fields, "stream", "content_length")
    operator_extra_links = (*OSSUploadBaseOperator.operator_extra_links, *TRANSFER_LINKS)
    transfer_kind = "put"

    stream: StreamFunction | ObjectStoragePath | os.PathLike[str] | str
    content_length: int | str | None

    def __init__(
        self,
        *,
        stream: Callable[..., Any] | ObjectStoragePath | os.PathLike[str] | str | XComArg,
        content_length: int | str | XComArg | None = None,
        **kwargs: Unpack[UploadKeywords],
    ) -> None:
        super().__init__(**kwargs)
        self._keep(stream=as_argument(stream), content_length=content_length)

    @override
    def work(self, context: Context) -> UploadResult:
        from airflow_provider_oss.quantities import size_in_bytes

        return self.hook.put_stream(
            self.key,
            lambda: open_stream(self.stream, context),
            size_in_bytes("content_length", self.content_length),
            self.bucket_name,
            **self.object_options(),
        )

    def sources(self) -> Sequence[str]:
        """Return the URL, if the stream is not a function's."""
        return urls_of(self.stream)


class OSSResumableUploadOperator(OSSResumableBaseOperator):
    """
    Stores a file of any size; a retried task instance continues where the last attempt stopped, whatever ended it.

    Every part that an earlier attempt stored is compared with the file as it is now (size and CRC-64), and sent again
    if it differs; the finished object is compared as a whole. It may run on another worker if the file is there. Memory
    is 256 KiB for each of ``parallel`` parts and one more (2 MiB while other threads of the process compute); a file of
    one part or less is read whole. Without ``part_size`` parts have at least 8 MiB, so that there are at most 10,000.
    For the other arguments see OSSResumableBaseOperator and OSSUploadBaseOperator.

    :param file_path: path of the file on the worker. Templated.
    """

    template_fields: Sequence[str] = (*OSSResumableBaseOperator.template_fields, "file_path")
    transfer_kind = "upload"

    file_path: str | os.PathLike[str]

    def __init__(self, *, file_path: str | os.PathLike[str] | XComArg, **kwargs: Unpack[ResumableKeywords]) -> None:
        super().__init__(**kwargs)
        self._keep(file_path=file_path)

    @override
    def work(self, context: Context) -> UploadResult:
        return self.hook.upload_file(
            self.key, self.file_path, self.bucket_name, **self.resumable_arguments(context), **self.object_options()
        )

    @override
    def sources(self) -> Sequence[str | os.PathLike[str]]:
        return (self.file_path,)


class OSSResumableStreamOperator(OSSStreamBaseOperator):
    """
    Stores a stream of any length; a retried task instance reads it again and sends only what OSS does not hold yet.

    The stream is cut into parts as it is read. Every part that an earlier attempt stored is compared with what is read
    now (size and CRC-64), and sent again if it differs: should the stream give other bytes the second time, the object
    is exactly these. An error of the stream fails the attempt as it is, and nothing is published. A stream of one part
    or less is one request. In memory are ``parallel`` + 1 parts; parts have 8 MiB unless ``part_size`` says otherwise,
    more from 4.7 GB on, and those beyond 64 MiB are in temporary files until they are sent. ``progress`` is given 0.0
    until the stream has ended; ``checkpoint.done_bytes`` says how much is stored. For the other arguments see
    OSSStreamBaseOperator, OSSResumableBaseOperator and OSSUploadBaseOperator.

    :param stream: a callable that returns an object with ``read()`` or an iterable of bytes (it is given those values
        of the task context that its parameters name, and is called once in an attempt, again only if the upload has to
        begin anew), or an ObjectStoragePath, or the URL of one. What a callable returns is closed. Templated.
    """

    template_fields: Sequence[str] = (*OSSStreamBaseOperator.template_fields, "stream")

    stream: StreamFunction | ObjectStoragePath | os.PathLike[str] | str

    def __init__(
        self,
        *,
        stream: Callable[..., Any] | ObjectStoragePath | os.PathLike[str] | str | XComArg,
        **kwargs: Unpack[StreamKeywords],
    ) -> None:
        super().__init__(**kwargs)
        self._keep(stream=as_argument(stream))

    def upload_output(self, context: Context, resumable: ResumableArguments) -> UploadResult:
        """Open the stream and store it."""
        from airflow_provider_oss.engine.source import StreamSource

        return self.hook.upload_source(
            self.key,
            StreamSource(lambda: open_stream(self.stream, context), name_of(self.stream), self.compression),
            self.bucket_name,
            **resumable,
            **self.object_options(),
        )

    def sources(self) -> Sequence[str]:
        """Return the URL, if the stream is not a function's."""
        return urls_of(self.stream)
