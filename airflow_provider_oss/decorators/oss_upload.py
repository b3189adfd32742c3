"""``@task.oss_upload``: a TaskFlow function whose output becomes an object."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import (
    DecoratedOperator,
    context_merge,
    determine_kwargs,
    task_decorator_factory,
)
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_oss.operators.resumable import OSSStreamBaseOperator
from airflow_provider_oss.operators.streams import name_of_function

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, TaskDecorator

    from airflow_provider_oss.decorators.output import Output
    from airflow_provider_oss.model import UploadResult
    from airflow_provider_oss.operators.resumable import ResumableArguments


class OSSUploadDecoratedOperator(DecoratedOperator, OSSStreamBaseOperator):
    """
    Calls a function and stores what it gives; a retried task calls it again and sends only what OSS does not hold yet.

    The function may yield bytes and str (encoded as UTF-8), or return an iterable of these, a file object (binary or
    text), bytes or str (the whole object), a pathlib.Path or an ObjectStoragePath. None of it is in memory as a whole,
    unless the function does that. Generators and file objects are closed, however the upload ends. What the function
    raises fails the attempt as it is; AirflowSkipException also aborts what an earlier attempt has begun. For the other
    arguments see OSSStreamBaseOperator, OSSResumableBaseOperator and OSSUploadBaseOperator.

    :param python_callable: the function. It is called in the task's main thread, once in an attempt, again only if the
        upload has to begin anew.
    :param op_args: its arguments by position. Templated.
    :param op_kwargs: its arguments by name. Templated. Values of the task context go to parameters of their names.
    :param pre_execute: called with the task context before the function; it may raise AirflowSkipException too.
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
        pre_execute: Callable[[Context], None] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            python_callable=python_callable,
            op_args=op_args,
            op_kwargs=op_kwargs,
            # What @task.skip_if and @task.run_if give
            pre_execute=None if pre_execute is None else partial(self._before, pre_execute),
            **kwargs,
        )

    def upload_output(self, context: Context, resumable: ResumableArguments) -> UploadResult:
        """Call the function, and store what it gives."""
        from airflow_provider_oss.transfer.stream import StreamSource

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
        from airflow_provider_oss.decorators.output import Output

        context_merge(context, self.op_kwargs)
        arguments = determine_kwargs(self.python_callable, self.op_args, context)
        return Output(self.python_callable(*self.op_args, **arguments), name_of_function(self.python_callable))

    def _before(self, pre_execute: Callable[[Context], None], context: Context) -> None:
        with self.leaving_nothing_when_skipped(context):
            pre_execute(context)


def oss_upload_task(python_callable: Callable[..., Any] | None = None, **kwargs: Any) -> TaskDecorator:
    """
    Make a task of a function whose output becomes an object. Airflow knows it as ``@task.oss_upload``.

    For the arguments see OSSUploadDecoratedOperator.
    """
    return task_decorator_factory(
        python_callable=python_callable, decorated_operator_class=OSSUploadDecoratedOperator, **kwargs
    )
