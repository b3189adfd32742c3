"""The upload operators."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_oss.operators.base import OSSUploadBaseOperator, whole_number
from airflow_provider_oss.operators.resumable import OSSResumableBaseOperator, OSSStreamBaseOperator
from airflow_provider_oss.operators.streams import as_argument, name_of, open_stream, urls_of

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, ObjectStoragePath

    from airflow_provider_oss.model import UploadResult
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

    def __init__(
        self, *, data: str | bytes | None = None, file_path: str | os.PathLike[str] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.data = data
        self.file_path = file_path

    def render_template(
        self, content: Any, context: Context, jinja_env: Any = None, seen_oids: set[int] | None = None
    ) -> Any:
        """
        Render a template, and keep the newline at the end of ``data``, which Jinja drops.

        Data without template syntax stay as they are to the last byte: Jinja would turn their CRLF into LF.
        """
        if content is not self.data or not isinstance(content, str):
            return super().render_template(content, context, jinja_env, seen_oids)
        environment = jinja_env or self.get_template_env()
        if not any(mark in content for mark in _marks(environment)):
            return content
        return super().render_template(content, context, environment.overlay(keep_trailing_newline=True), seen_oids)

    def upload(self, context: Context) -> UploadResult:  # noqa: ARG002 - nothing of it is needed
        """Put the data or the file."""
        from airflow_provider_oss.exceptions import OSSInvalidArgument

        if (self.data is None) == (self.file_path is None):
            raise OSSInvalidArgument("give either data or file_path, not both and not neither")
        if self.file_path is not None:
            return self.hook.put_file(self.key, self.file_path, self.bucket_name, **self.object_options())
        return self.hook.put_object(self.key, self._checked_data(), self.bucket_name, **self.object_options())

    def _checked_data(self) -> str | bytes | bytearray | memoryview:
        from airflow_provider_oss.exceptions import OSSInvalidArgument

        if isinstance(self.data, str | bytes | bytearray | memoryview):
            return self.data
        raise OSSInvalidArgument(f"data is a {type(self.data).__name__}: give text or bytes, such as json.dumps(data)")

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

    def __init__(
        self,
        *,
        stream: Callable[..., Any] | ObjectStoragePath | str,
        content_length: int | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.stream = as_argument(stream)
        self.content_length = content_length

    def upload(self, context: Context) -> UploadResult:
        """Put the stream."""
        return self.hook.put_stream(
            self.key,
            lambda: open_stream(self.stream, context),
            whole_number("content_length", self.content_length),
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
    is 256 KiB for each of ``parallel`` parts and one more; a file of one part or less is read whole. Without
    ``part_size`` parts have at least 8 MiB, so that there are at most 10,000. For the other arguments see
    OSSResumableBaseOperator and OSSUploadBaseOperator.

    :param file_path: path of the file on the worker. Templated.
    """

    template_fields: Sequence[str] = (*OSSResumableBaseOperator.template_fields, "file_path")

    def __init__(self, *, file_path: str | os.PathLike[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.file_path = file_path

    def upload(self, context: Context) -> UploadResult:
        """Begin or continue the upload."""
        return self.hook.upload_file(
            self.key, self.file_path, self.bucket_name, **self.resumable_arguments(context), **self.object_options()
        )

    def sources(self) -> Sequence[str | os.PathLike[str]]:
        """Return the file."""
        return (self.file_path,)


class OSSResumableStreamOperator(OSSStreamBaseOperator):
    """
    Stores a stream of any length; a retried task instance reads it again and sends only what OSS does not hold yet.

    The stream is cut into parts as it is read. Every part that an earlier attempt stored is compared with what is read
    now (size and CRC-64), and sent again if it differs: should the stream give other bytes the second time, the object
    is exactly these. An error of the stream fails the attempt as it is, and nothing is published. A stream of one part
    or less is one request. In memory are ``parallel`` + 1 parts; parts have 8 MiB unless ``part_size`` says otherwise,
    more from 4.7 GB on, and those beyond 64 MiB are in temporary files until they are sent. ``progress`` is told 0.0
    until the stream has ended; ``checkpoint.done_bytes`` says how much is stored. For the other arguments see
    OSSStreamBaseOperator, OSSResumableBaseOperator and OSSUploadBaseOperator.

    :param stream: a callable that returns an object with ``read()`` or an iterable of bytes (it is given those values
        of the task context that its parameters name, and is called once in an attempt, again only if the upload has to
        begin anew), or an ObjectStoragePath, or the URL of one. What a callable returns is closed. Templated.
    """

    template_fields: Sequence[str] = (*OSSStreamBaseOperator.template_fields, "stream")

    def __init__(self, *, stream: Callable[..., Any] | ObjectStoragePath | str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stream = as_argument(stream)

    def upload_output(self, context: Context, resumable: ResumableArguments) -> UploadResult:
        """Open the stream and store it."""
        from airflow_provider_oss.transfer.stream import StreamSource

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


def _marks(environment: Any) -> list[str]:
    """Return what template syntax begins with: a DAG may have other marks than ``{{``, ``{%`` and ``{#``."""
    marks = (
        environment.variable_start_string,
        environment.block_start_string,
        environment.comment_start_string,
        environment.line_statement_prefix,
        environment.line_comment_prefix,
    )
    return [mark for mark in marks if mark]
