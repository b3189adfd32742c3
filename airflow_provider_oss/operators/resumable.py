"""
What the operators share whose uploads a retried task instance continues, and the ``stream`` that some of them take.

A stream is a function of the task's context, or what ObjectStoragePath opens.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, Final, TypedDict
from urllib.parse import urlsplit

from typing_extensions import override

from airflow_provider_oss.limits import DEFAULT_PARALLEL, MAX_UNFINISHED_OF_A_TASK, MIB
from airflow_provider_oss.links.oss import TRANSFER_LINKS
from airflow_provider_oss.operators.base import OSSUploadBaseOperator

if TYPE_CHECKING:
    from typing import Unpack

    from airflow.providers.common.compat.sdk import Context, ObjectStoragePath, XComArg

    from airflow_provider_oss.cancellation import Cancellation
    from airflow_provider_oss.lineage import TaskLineage
    from airflow_provider_oss.model import UploadResult
    from airflow_provider_oss.operators import ResumableKeywords, UploadKeywords
    from airflow_provider_oss.options import ObjectOptionArguments
    from airflow_provider_oss.ports import CheckpointStore, ProgressCallback


_READ_BYTES: Final = MIB


class StreamFunction:
    """Holds a function that ``execute`` calls: Airflow calls a bare one when it renders the template fields."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    @property
    def name(self) -> str:
        """The function's name."""
        return name_of_function(self.function)

    def __repr__(self) -> str:
        """Say the same in every process, for it becomes part of the serialized DAG."""
        return f"<callable {self.name}>"


def name_of_function(function: Callable[..., Any]) -> str:
    """Return the function's name, or that of the class of another callable."""
    return str(getattr(function, "__qualname__", type(function).__qualname__))


def as_argument(
    stream: Callable[..., Any] | ObjectStoragePath | os.PathLike[str] | str | XComArg,
) -> StreamFunction | ObjectStoragePath | os.PathLike[str] | str | XComArg:
    """Return what the operator keeps of its argument."""
    return StreamFunction(stream) if callable(stream) else stream


def open_stream(stream: StreamFunction | ObjectStoragePath | os.PathLike[str] | str, context: Context) -> Any:
    """Call the function with those values of the context that its parameters name, or read what the path leads to."""
    from airflow.providers.common.compat.sdk import ObjectStoragePath, determine_kwargs

    if isinstance(stream, StreamFunction):
        return stream.function(**determine_kwargs(stream.function, (), context))
    return chunks_of_path(ObjectStoragePath(path_of(stream)))


def path_of(stream: Any) -> Any:
    """Return the text of a path that is none of universal_pathlib's: those know where they lead to."""
    return os.fspath(stream) if isinstance(stream, os.PathLike) and not hasattr(stream, "fs") else stream


def name_of(stream: StreamFunction | ObjectStoragePath | os.PathLike[str] | str) -> str:
    """Return what a log and a checkpoint may show of it: of a URL neither user nor query, which may be secrets."""
    if isinstance(stream, StreamFunction):
        return stream.name
    parts = urlsplit(str(path_of(stream)))
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}" if parts.scheme else parts.path


def urls_of(stream: StreamFunction | ObjectStoragePath | os.PathLike[str] | str) -> tuple[str, ...]:
    """Return what is read, as one URL or path; nothing when a function is called."""
    return () if isinstance(stream, StreamFunction) else (str(path_of(stream)),)


def chunks_of_path(path: ObjectStoragePath | os.PathLike[str]) -> Iterator[bytes]:
    """Yield what is in a file, wherever it is."""
    file: IO[bytes]
    with path.open("rb") if hasattr(path, "open") else open(path, "rb") as file:  # noqa: PTH123 - of no pathlib
        while chunk := file.read(_READ_BYTES):
            yield chunk


class ResumableArguments(TypedDict):
    """The keywords of the hook's resumable uploads."""

    part_size: int | None
    parallel: int
    progress: ProgressCallback | None
    checkpoint: CheckpointStore
    cancellation: Cancellation


class OSSResumableBaseOperator(OSSUploadBaseOperator):
    """
    Stores one object of any size; a retried task instance continues where the last attempt stopped.

    When the task fails for good the parts stay, so that clearing it continues; they are billed until the task is
    cleared, the upload is aborted, or a lifecycle rule of the bucket removes them. For the other arguments see
    OSSUploadBaseOperator.

    :param part_size: bytes, 100 KB to 5 GB, as a number or as text, with a unit if you like (``"8 MiB"``); None
        chooses. Templated.
    :param parallel: parts sent at the same time, 1 to 100; of a file, one more may wait for OSS's answer. Templated.
    :param checkpoint: where the upload id is kept between attempts: ``"auto"`` (the task state store from Airflow 3.3
        on, else a Variable), ``"task_state"``, ``"variable"``, ``"xcom"``, or ``"xcom:task_id"``, which names the task
        whose XCom holds it, or an object with ``load``, ``save`` and ``delete``. Templated.
    :param checkpoint_anchor: deprecated: write ``checkpoint="xcom:task_id"``. Templated.
    :param progress: called as ``progress(fraction, checkpoint, response)`` after every part.
    """

    template_fields: Sequence[str] = (
        *OSSUploadBaseOperator.template_fields, "part_size", "parallel", "checkpoint", "checkpoint_anchor",
    )  # fmt: skip
    operator_extra_links = (*OSSUploadBaseOperator.operator_extra_links, *TRANSFER_LINKS)

    part_size: int | str | None
    parallel: int | str | None
    checkpoint: str | CheckpointStore
    checkpoint_anchor: str | None
    progress: ProgressCallback | None

    def __init__(
        self,
        *,
        part_size: int | str | XComArg | None = None,
        parallel: int | str | XComArg | None = DEFAULT_PARALLEL,
        checkpoint: str | CheckpointStore | XComArg = "auto",
        checkpoint_anchor: str | XComArg | None = None,
        progress: ProgressCallback | None = None,
        **kwargs: Unpack[UploadKeywords],
    ) -> None:
        super().__init__(**kwargs)
        self._keep(
            part_size=part_size,
            parallel=parallel,
            checkpoint=checkpoint,
            checkpoint_anchor=checkpoint_anchor,
            progress=progress,
        )
        if checkpoint_anchor is not None:
            from airflow_provider_oss.checkpoint.choice import check_anchor

            check_anchor(checkpoint, checkpoint_anchor)

    def check_arguments(self) -> None:
        """Check also how it is cut and sent, and where the upload id is kept."""
        from airflow_provider_oss.checkpoint.choice import check_wanted
        from airflow_provider_oss.quantities import check_parallel, check_part_size

        super().check_arguments()
        if (part_size := self._part_size()) is not None:
            check_part_size(part_size)
        check_parallel(self._parallel())
        check_wanted(self._wanted_store())

    def _part_size(self) -> int | None:
        from airflow_provider_oss.quantities import size_in_bytes

        return size_in_bytes("part_size", self.part_size)

    def _parallel(self) -> int:
        from airflow_provider_oss.quantities import whole_number

        return whole_number("parallel", self.parallel, DEFAULT_PARALLEL)

    def _wanted_store(self) -> str | CheckpointStore:
        """Return the store, or what names it."""
        from airflow_provider_oss.checkpoint.choice import anchored

        store: str | CheckpointStore = anchored(self.checkpoint, self.checkpoint_anchor)
        return store

    def resumable_arguments(self, context: Context) -> ResumableArguments:
        """Return what makes one upload of this attempt resumable, for the hook. Once for each attempt."""
        from airflow_provider_oss.checkpoint.choice import choose_store

        return {
            "part_size": self._part_size(),
            "parallel": self._parallel(),
            "progress": self.progress,
            "checkpoint": self._beside(choose_store(self._wanted_store(), context)),
            "cancellation": self._cancellation,
        }


class OSSFilesBaseOperator(OSSResumableBaseOperator):
    """
    Stores files below a prefix, which is ``key``; what OSS holds already is not sent.

    For the arguments see OSSResumableBaseOperator and OSSUploadBaseOperator; they hold for every file.
    """

    @override
    def check_target(self) -> None:
        self.hook.resolve_prefix(self.key, self.bucket_name, storing=True)

    @override
    def folder(self) -> str:
        return str(self.key)

    def sending_arguments(self, context: Context) -> dict[str, Any]:
        """Return what the hook is given of the files' own, with a checkpoint store for each that may be unfinished."""
        from airflow_provider_oss.checkpoint.choice import choose_stores

        arguments: dict[str, Any] = {**self.resumable_arguments(context), **self.object_options()}
        del arguments["checkpoint"]
        stores = choose_stores(self._wanted_store(), context, count=MAX_UNFINISHED_OF_A_TASK)
        return {**arguments, "checkpoints": [self._beside(store) for store in stores]}

    @override
    def lineage(self, result: Any) -> TaskLineage:
        from airflow_provider_oss.lineage import TaskLineage, source, stored

        count = result.sent.count + result.skipped.count
        if not count:
            return TaskLineage()
        size_bytes = result.sent.size_bytes + result.skipped.size_bytes
        return TaskLineage(
            [source(location) for location in self.sources()],
            [stored(result.bucket, result.prefix, size_bytes, files=count)],
        )


class OSSStreamBaseOperator(OSSResumableBaseOperator):
    """
    Stores a stream that the user's code gives, and leaves nothing behind when that says to skip the task.

    A retried task instance runs the code again: what OSS holds with the same bytes is not sent again. With
    AirflowSkipException it says that there is nothing to store: what an earlier attempt has begun is aborted. For the
    other arguments see OSSResumableBaseOperator and OSSUploadBaseOperator.

    :param compression: None, ``"gzip"`` or ``"zstd"`` (extra ``zstd`` of the package), the same bytes in every attempt.
        A key that ends in ``.gz`` or ``.zst`` names a compressed file; with any other, the object gets the
        Content-Encoding, unless ``headers`` has one, and HTTP clients decompress it. Templated.
    """

    template_fields: Sequence[str] = (*OSSResumableBaseOperator.template_fields, "compression")
    transfer_kind = "stream"

    compression: str | None

    def __init__(self, *, compression: str | XComArg | None = None, **kwargs: Unpack[ResumableKeywords]) -> None:
        super().__init__(**kwargs)
        self._keep(compression=compression)

    @abstractmethod
    def upload_output(self, context: Context, resumable: ResumableArguments) -> UploadResult:
        """Run the user's code and store what it gives."""

    @override
    def work(self, context: Context) -> UploadResult:
        with self.leaving_nothing_when_skipped(context):
            return self.upload_output(context, self.resumable_arguments(context))

    @contextmanager
    def leaving_nothing_when_skipped(self, context: Context) -> Iterator[None]:
        """Abort what an earlier attempt has begun when AirflowSkipException is raised; pass that on."""
        from airflow.providers.common.compat.sdk import AirflowSkipException

        from airflow_provider_oss.checkpoint.choice import choose_store

        try:
            yield
        except AirflowSkipException:
            with self.attempt():
                self.hook.abandon_upload(choose_store(self._wanted_store(), context))
            raise

    def object_options(self, mime: str | None = None, encoding: str | None = None) -> ObjectOptionArguments:
        """Add the Content-Encoding of what is compressed here."""
        from airflow_provider_oss.compression import content_encoding

        return super().object_options(mime, encoding or content_encoding(self.compression, self.key))
