"""What the operators share: the connection, what is stored with an object, and how a failure is reported to Airflow."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, cast

from airflow_provider_oss.hooks import DEFAULT_CONN_ID
from airflow_provider_oss.links.oss import OSSObjectLink
from airflow_provider_oss.operators.arguments import CheckedBaseOperator

if TYPE_CHECKING:
    from typing import Unpack

    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_oss.cancellation import Cancellation
    from airflow_provider_oss.hooks.oss import OSSHook
    from airflow_provider_oss.lineage import TaskLineage
    from airflow_provider_oss.model import Result
    from airflow_provider_oss.operators import AirflowKeywords, ConnectionKeywords
    from airflow_provider_oss.options import ObjectOptionArguments
    from airflow_provider_oss.ports import CheckpointStore
    from airflow_provider_oss.progress.recorder import TransferRecorder


class OSSBaseOperator(CheckedBaseOperator):
    """
    Works with OSS through an Airflow connection.

    An error that no retry can mend fails the task at once; any other is raised as it is, and Airflow retries. An
    argument of a wrong type, and arguments that contradict one another, are refused when the DAG is parsed, where no
    template can mend them, else by the first attempt before anything is sent. With
    ``render_template_as_native_obj``, too, a text that a template makes is taken as it is written.

    :param oss_conn_id: id of the Airflow connection. Templated.
    :param region: goes before the connection's region. Templated.
    """

    template_fields: Sequence[str] = ("oss_conn_id", "region")
    ui_color = "#ffe3cc"
    transfer_kind: ClassVar[str] = ""
    """One word for the kind of transfer that the task makes, which is recorded then; empty for a task that makes none.
    """
    has_transferred = False
    _recorder: TransferRecorder | None = None
    _result: Any = None

    oss_conn_id: str
    region: str | None

    def __init__(
        self,
        *,
        oss_conn_id: str | XComArg = DEFAULT_CONN_ID,
        region: str | XComArg | None = None,
        **kwargs: Unpack[AirflowKeywords],
    ) -> None:
        super().__init__(**kwargs)
        self._keep(oss_conn_id=oss_conn_id, region=region)

    def render_template_fields(self, context: Context, jinja_env: Any = None) -> None:
        """
        Begin an attempt: render all templates, and forget the last attempt's hook, which may have been asked to stop.

        ``dag.test()`` makes all attempts with the same object. ``task`` in the templates is this one: Airflow 3.0 gives
        what it was before it was rendered.
        """
        from airflow_provider_oss.cancellation import Cancellation

        vars(self).pop("hook", None)
        self._cancellation = Cancellation()
        self._recorder, self.has_transferred = None, False
        context["task"] = self
        super().render_template_fields(context, jinja_env)

    @cached_property
    def _cancellation(self) -> Cancellation:
        """The flag of this attempt."""
        from airflow_provider_oss.cancellation import Cancellation

        return Cancellation()

    @cached_property
    def hook(self) -> OSSHook:
        """The hook of this attempt, made when the templates are rendered."""
        from airflow_provider_oss.hooks.oss import OSSHook

        hook = OSSHook(self.oss_conn_id, region=self.region)
        hook.cancellation = self._cancellation  # which may have been requested before there was a hook
        return hook

    def on_kill(self) -> None:
        """
        Let the attempt end within a second with OSSUploadCancelled, and what is in flight be given up.

        Only a flag is set, for this runs in a signal handler; see ``Cancellation.request`` for the one exception.
        """
        if "_cancellation" in vars(self):  # else there is no attempt
            self._cancellation.request()

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """
        Obey ``on_kill`` in all waits of the block, and tell Airflow not to retry what no retry can mend.

        That is so too of a file of the filesystem that is opened in the block, by the user's code, and not closed.
        """
        from airflow_provider_oss.cancellation import obeying
        from airflow_provider_oss.unclosed import losing_no_file

        with failing_at_once(), losing_no_file(), obeying(self._cancellation):
            self.check_arguments()
            yield

    def work(self, context: Context) -> Result:
        """Do what the task is for, once, and return what became of it."""
        raise NotImplementedError

    def execute(self, context: Context) -> Any:
        """Make an attempt and return its result as plain data."""
        from airflow_provider_oss.shown import Log

        log_host()
        with self.attempt(), self._recorded(context):
            result = self._result = self.work(context)
            Log(__name__).info("%s", result.describe())
            self._raise_failures(context, result)
        return result.as_dict()

    @contextmanager
    def _recorded(self, context: Context) -> Iterator[None]:
        """Let what the block transfers be recorded, and the record be found, if this is a task that transfers."""
        if not self.transfer_kind:
            yield
            return
        from airflow_provider_oss.links.oss import has_page, publish_transfer
        from airflow_provider_oss.progress.attempt import recorded, recorder_of

        recorder = self._recorder = self.hook.watcher = recorder_of(
            self.transfer_kind, self.transfer_target(), context, self._cancellation, may_push=self.do_xcom_push
        )
        if self.do_xcom_push and has_page():
            self.has_transferred = True
            publish_transfer(context["ti"])
        with recorded(recorder, context):
            yield

    def transfer_target(self) -> str:
        """Return what the task makes, for people, as long as no transfer has begun."""
        return str(getattr(self, "key", ""))

    def _beside(self, store: CheckpointStore) -> CheckpointStore:
        """Return the store with the record of this attempt beside its checkpoint."""
        return store if self._recorder is None else self._recorder.recorded(store)

    def _raise_failures(self, context: Context, result: Result) -> None:
        """
        Raise what says that some of many things failed, if so, whatever Airflow makes of the result.

        The result is pushed before, for a task that raises returns nothing.
        """
        if not result.has_failures:
            return
        try:
            if self.do_xcom_push:
                context["ti"].xcom_push(key="return_value", value=result.as_dict())
        finally:
            result.raise_failures()


class OSSUploadBaseOperator(OSSBaseOperator):
    """
    Stores one object and returns what became of it as a plain dict.

    The dict's fields are those of ``airflow_provider_oss.model.UploadResult``. For ``oss_conn_id`` and ``region`` see
    OSSBaseOperator.

    :param key: object name, or a whole ``oss://bucket/key``. Templated, like every text below.
    :param bucket_name: bucket; None for the connection's schema.
    :param mime: Content-Type; None guesses it from the key's ending.
    :param meta: user metadata, stored as x-oss-meta-*.
    :param headers: other headers stored with the object: Cache-Control, Content-Disposition, Content-Encoding, ...
    :param acl: default, private, public-read or public-read-write.
    :param storage_class: Standard, IA, Archive, ColdArchive or DeepColdArchive.
    :param tags: up to 10 object tags.
    :param forbid_overwrite: fail when another object has the key. An equal object is success: it is what a lost answer
        or an earlier attempt leaves behind.
    :param traffic_limit: bit/s for each connection, 819200 to 838860800; a number or, from a template, its text.
    :param callback: url, body and optionally host, contentType, customValue: OSS calls the application when the object
        is stored, and its answer is ``callback_response`` of the result.
    """

    template_fields: Sequence[str] = (
        *OSSBaseOperator.template_fields, "key", "bucket_name", "mime", "meta", "headers", "acl", "storage_class",
        "tags", "traffic_limit", "callback",
    )  # fmt: skip
    template_fields_renderers: ClassVar[dict[str, str]] = {
        "meta": "json", "headers": "json", "tags": "json", "callback": "json",
    }  # fmt: skip
    operator_extra_links = (OSSObjectLink(),)

    key: str
    bucket_name: str | None
    mime: str | None
    meta: Mapping[str, str | float | bool] | None
    headers: Mapping[str, str | float | bool] | None
    acl: str | None
    storage_class: str | None
    tags: Mapping[str, str | float | bool] | None
    forbid_overwrite: bool
    traffic_limit: int | str | None
    callback: Mapping[str, str | float | bool | Mapping[str, str | float | bool]] | None

    def __init__(  # noqa: PLR0913 - one argument for each thing OSS stores with an object
        self,
        *,
        key: str | XComArg,
        bucket_name: str | XComArg | None = None,
        mime: str | XComArg | None = None,
        meta: Mapping[str, str | float | bool | XComArg] | XComArg | None = None,
        headers: Mapping[str, str | float | bool | XComArg] | XComArg | None = None,
        acl: str | XComArg | None = None,
        storage_class: str | XComArg | None = None,
        tags: Mapping[str, str | float | bool | XComArg] | XComArg | None = None,
        forbid_overwrite: bool = False,
        traffic_limit: int | str | XComArg | None = None,
        callback: Mapping[str, str | float | bool | Mapping[str, str | float | bool | XComArg] | XComArg]
        | XComArg
        | None = None,
        **kwargs: Unpack[ConnectionKeywords],
    ) -> None:
        super().__init__(**kwargs)
        self._keep(
            key=key,
            bucket_name=bucket_name,
            mime=mime,
            meta=meta,
            headers=headers,
            acl=acl,
            storage_class=storage_class,
            tags=tags,
            forbid_overwrite=forbid_overwrite,
            traffic_limit=traffic_limit,
            callback=callback,
        )

    def check_arguments(self) -> None:
        """Check also what is stored with the object, and where it goes."""
        from airflow_provider_oss.options import parse_options

        super().check_arguments()
        parse_options(**self.object_options())
        self.check_target()

    def check_target(self) -> None:
        """Raise OSSInvalidArgument for an address where nothing can be stored."""
        self.hook.resolve(self.key, self.bucket_name, storing=True)

    def post_execute(self, context: Context, result: Any = None) -> None:
        """Publish the link where Airflow does not do that itself, and let the outlets' events say what is stored."""
        from airflow_provider_oss.lineage import describe_events

        super().post_execute(context, result)
        OSSObjectLink().publish(self.console_url(), context)
        if self.outlets and self._result is not None:
            describe_events(context["outlet_events"], self.outlets, self.lineage(self._result).outputs)

    def console_url(self) -> str:
        """
        Return where the OSS console shows what the task stores; empty where nothing does, and with do_xcom_push=False.

        Asks nobody: it is empty too as long as the connection has not been read.
        """
        from airflow_provider_oss.exceptions import OSSInvalidArgument
        from airflow_provider_oss.links.oss import console_url

        has_connected = "hook" in vars(self) and "settings" in vars(self.hook)
        if not has_connected or not self.do_xcom_push:
            return ""
        try:
            folder = self.hook.resolve_prefix(self.folder(), self.bucket_name)
        except OSSInvalidArgument:  # of which the task has failed
            return ""
        return console_url(self.hook.settings.endpoint, self.hook.settings.region, folder)

    def folder(self) -> str:
        """Return the folder of what the task stores, as ``key`` has it, a bucket before it."""
        return folder_of(str(self.key))

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:  # noqa: ARG002 - the provider gives it
        """Return what was read and stored, for Airflow's OpenLineage provider: nothing, when nothing was stored."""
        from airflow_provider_oss.lineage import TaskLineage, as_openlineage

        return as_openlineage(TaskLineage() if self._result is None else self.lineage(self._result))

    def lineage(self, result: Any) -> TaskLineage:
        """Return what the task with this result has read and stored."""
        from airflow_provider_oss.lineage import TaskLineage, source, stored

        return TaskLineage(
            [source(location) for location in self.sources()],
            [stored(result.bucket, result.key, result.size, etag=result.etag)],
        )

    def sources(self) -> Sequence[str | os.PathLike[str]]:
        """Return the files of the worker, and the URLs, that are read."""
        return ()

    def object_options(self, mime: str | None = None, encoding: str | None = None) -> ObjectOptionArguments:
        """
        Return the arguments that describe the object, for the hook: all that ``parse_options`` takes.

        It has this Content-Type and this Content-Encoding, unless the user gave others.
        """
        from airflow_provider_oss.options import ObjectOptionArguments, with_encoding

        arguments = {name: getattr(self, name) for name in ObjectOptionArguments.__annotations__}
        arguments["headers"] = with_encoding(self.headers, encoding)
        if mime and not self.mime:
            arguments["mime"] = mime
        return cast("ObjectOptionArguments", arguments)


def log_host() -> None:
    """Say where an attempt is made: its files are those of that worker."""
    from airflow_provider_oss.shown import Log, host_name

    Log(__name__).info("Working on host %s", host_name())


def folder_of(key: str) -> str:
    """Return the key without what is behind its last slash."""
    return key[: key.rfind("/") + 1]


@contextmanager
def failing_at_once() -> Iterator[None]:
    """Tell Airflow not to retry what no retry can mend."""
    from airflow.providers.common.compat.sdk import AirflowFailException

    from airflow_provider_oss.exceptions import OSSPermanentError

    try:
        yield
    except OSSPermanentError as error:
        raise AirflowFailException(f"{type(error).__name__}: {error}") from error


@contextmanager
def needing_an_object() -> Iterator[None]:
    """Raise OSSInvalidSource, which no retry mends, where the object that the task is about is not there."""
    from airflow_provider_oss.exceptions import OSSInvalidSource, OSSNoSuchKey

    try:
        yield
    except OSSNoSuchKey as error:
        raise OSSInvalidSource("the object does not exist", error.details) from error
