"""``@task.oss_upload``: a TaskFlow function whose output, read as bytes, becomes an object."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

from airflow.providers.common.compat.sdk import (
    DecoratedOperator,
    context_merge,
    determine_kwargs,
    task_decorator_factory,
)
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_oss.declared import refuse
from airflow_provider_oss.limits import MIB
from airflow_provider_oss.operators.resumable import OSSStreamBaseOperator, chunks_of_path

if TYPE_CHECKING:
    from typing import Unpack

    from airflow.providers.common.compat.sdk import Context, TaskDecorator

    from airflow_provider_oss.model import UploadResult
    from airflow_provider_oss.operators import DecoratorKeywords, StreamKeywords
    from airflow_provider_oss.operators.resumable import ResumableArguments


_READ_BYTES: Final = MIB
_WANTED: Final = (
    "return or yield bytes or str, or return an iterable of these, a file object, a pathlib.Path or ObjectStoragePath"
)


class Output:
    """
    What one call of a function gave: to be iterated once for its bytes, and closed.

    Closing it ends a generator, so that its ``finally`` blocks run, and closes a file object. ``name`` is the
    function's. Raises OSSInvalidArgument for what cannot be stored, which is closed then.
    """

    def __init__(self, value: Any, name: str) -> None:
        self._value = value
        self._name = name
        with ExitStack() as stack:
            self._close_later(value, stack)
            self._chunks = self._read(stack)
            self._stack = stack.pop_all()

    @property
    def local_path(self) -> os.PathLike[str] | None:
        """The path of a file on this worker, if that is what the function gave."""
        return self._value if isinstance(self._value, os.PathLike) and not _is_object_storage(self._value) else None

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks

    def close(self) -> None:
        """Release what the function gave. A second time does nothing."""
        self._stack.close()

    def _read(self, stack: ExitStack) -> Iterator[bytes]:
        value = self._value
        if isinstance(value, str | bytes | bytearray | memoryview):
            return iter((self._encoded(value),))
        if isinstance(value, os.PathLike) or _is_object_storage(value):
            chunks = chunks_of_path(value)
        elif hasattr(value, "read"):
            return iter(lambda: self._encoded(value.read(_READ_BYTES)), b"")
        elif _is_in_order(value):
            chunks = iter(value)
        else:
            refuse(f"{self._name} returned {self._described()}")
        self._close_later(chunks, stack)
        return map(self._encoded, chunks)

    def _encoded(self, chunk: Any) -> bytes:
        if isinstance(chunk, bytes | bytearray | memoryview):
            return bytes(chunk)
        if not isinstance(chunk, str):
            from airflow_provider_oss.shown import a_type

            refuse(f"{self._name} gave {a_type(chunk)}: {_WANTED}")
        try:
            return chunk.encode()
        except UnicodeEncodeError as error:
            refuse(
                f"{self._name} gave text that UTF-8 cannot express ({error.reason}): give bytes, encoded as you want"
            )

    def _described(self) -> str:
        from airflow_provider_oss.shown import a_type

        if self._value is None:
            return f"None: {_WANTED}; raise AirflowSkipException when there is nothing to store"
        return f"{a_type(self._value)}: {_WANTED}; write anything else as text first (json.dumps, to_csv, ...)"

    @staticmethod
    def _close_later(value: Any, stack: ExitStack) -> None:
        close = getattr(value, "close", None)
        if callable(close):
            stack.callback(close)


def _is_in_order(value: Any) -> bool:
    """Whether iterating gives the content: not so of dicts (keys), sets (no order), data frames (names of columns)."""
    has_other_content = isinstance(value, Mapping | AbstractSet) or hasattr(value, "__dataframe__")
    return isinstance(value, Iterable) and not has_other_content


def _is_object_storage(value: Any) -> bool:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    return isinstance(value, ObjectStoragePath)


class OSSUploadDecoratedOperator(DecoratedOperator, OSSStreamBaseOperator):
    """
    Calls a function and stores what it gives; a retried task calls it again and sends only what OSS does not hold yet.

    The function may yield bytes and str (encoded as UTF-8), or return an iterable of these, a file object (binary or
    text), bytes or str (the whole object), a pathlib.Path or an ObjectStoragePath. None of it is in memory as a whole,
    unless the function does that. Generators and file objects are closed, however the upload ends. What the function
    raises fails the attempt as it is; AirflowSkipException, also of ``pre_execute``, aborts what an earlier attempt has
    begun too. For the other arguments see OSSStreamBaseOperator, OSSResumableBaseOperator and OSSUploadBaseOperator.

    :param python_callable: the function. It is called in the task's main thread, once in an attempt, again only if the
        upload has to begin anew.
    :param op_args: its arguments by position. Templated.
    :param op_kwargs: its arguments by name. Templated. Values of the task context go to parameters of their names.
    """

    template_fields: Sequence[str] = (*DecoratedOperator.template_fields, *OSSStreamBaseOperator.template_fields)
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **DecoratedOperator.template_fields_renderers,
        **OSSStreamBaseOperator.template_fields_renderers,
    }
    custom_operator_name = "@task.oss_upload"

    if AIRFLOW_V_3_0_PLUS:
        # The DecoratedOperator of Airflow 3.0 hands this on, unused, and its operators do not have it
        xcom_push: ClassVar[None] = None

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        op_args: Collection[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        **kwargs: Unpack[StreamKeywords],
    ) -> None:
        super().__init__(python_callable=python_callable, op_args=op_args, op_kwargs=op_kwargs, **kwargs)
        if self._pre_execute_hook is not None:  # such as @task.skip_if and @task.run_if give
            self._pre_execute_hook = partial(self._before, self._pre_execute_hook)

    def upload_output(self, context: Context, resumable: ResumableArguments) -> UploadResult:
        """Call the function, and store what it gives."""
        from airflow_provider_oss.engine.source import StreamSource
        from airflow_provider_oss.operators.resumable import name_of_function

        options = self.object_options()
        output = self._call(context)
        try:
            if output.local_path is not None and self.compression is None:
                return self.hook.upload_file(self.key, output.local_path, self.bucket_name, **resumable, **options)
            waiting = [output]
            source = StreamSource(
                lambda: waiting.pop() if waiting else self._call(context),
                name_of_function(self.python_callable),
                self.compression,
            )
            return self.hook.upload_source(self.key, source, self.bucket_name, **resumable, **options)
        finally:
            output.close()

    def _call(self, context: Context) -> Output:
        from airflow_provider_oss.operators.resumable import name_of_function

        context_merge(context, self.op_kwargs)
        arguments = determine_kwargs(self.python_callable, self.op_args, context)
        return Output(self.python_callable(*self.op_args, **arguments), name_of_function(self.python_callable))

    def _before(self, pre_execute: Callable[[Context], None], context: Context) -> None:
        with self.leaving_nothing_when_skipped(context):
            pre_execute(context)


def oss_upload_task(
    python_callable: Callable[..., Any] | None = None, **kwargs: Unpack[DecoratorKeywords]
) -> TaskDecorator:
    """
    Make a task of a function whose output becomes an object. Airflow knows it as ``@task.oss_upload``.

    For the arguments see OSSUploadDecoratedOperator.
    """
    return task_decorator_factory(
        python_callable=python_callable, decorated_operator_class=OSSUploadDecoratedOperator, **kwargs
    )
