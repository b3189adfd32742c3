"""What the operators share: the connection, what is stored with an object, and how a failure is told to Airflow."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_oss.hooks import DEFAULT_CONN_ID
from airflow_provider_oss.links.oss import OSSObjectLink

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_oss.hooks.oss import OSSHook
    from airflow_provider_oss.model import CopyResult, UploadResult
    from airflow_provider_oss.operators.lineage import TaskLineage
    from airflow_provider_oss.options import ObjectOptionArguments


class OSSBaseOperator(BaseOperator):
    """
    Works with OSS through an Airflow connection.

    An error that no retry can mend fails the task at once; any other is raised as it is, and Airflow retries.

    :param oss_conn_id: id of the Airflow connection. Templated.
    :param region: goes before the connection's region. Templated.
    """

    template_fields: Sequence[str] = ("oss_conn_id", "region")
    ui_color = "#ffe3cc"

    def __init__(self, *, oss_conn_id: str = DEFAULT_CONN_ID, region: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.oss_conn_id = oss_conn_id
        self.region = region

    def render_template_fields(self, context: Context, jinja_env: Any = None) -> None:
        """Render all templates. ``task`` in them is this one: Airflow 3.0 gives what it was before it was rendered."""
        context["task"] = self
        super().render_template_fields(context, jinja_env)

    def render_template(self, content: Any, *args: Any, **kwargs: Any) -> Any:
        """
        Render a template. A path of this machine is rendered as its text: Airflow 3.0 and 3.1 would look for the file.

        An ObjectStoragePath, which is a pathlib.Path too in Airflow 2.11, stays what it is.
        """
        if isinstance(content, PurePosixPath | PureWindowsPath):
            content = str(content)
        return super().render_template(content, *args, **kwargs)

    @cached_property
    def hook(self) -> OSSHook:
        """The hook, made when the templates are rendered."""
        from airflow_provider_oss.hooks.oss import OSSHook

        return OSSHook(self.oss_conn_id, region=self.region)


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

    def __init__(  # noqa: PLR0913 - one argument for each thing OSS stores with an object
        self,
        *,
        key: str,
        bucket_name: str | None = None,
        mime: str | None = None,
        meta: Mapping[str, Any] | None = None,
        headers: Mapping[str, Any] | None = None,
        acl: str | None = None,
        storage_class: str | None = None,
        tags: Mapping[str, Any] | None = None,
        forbid_overwrite: bool = False,
        traffic_limit: int | str | None = None,
        callback: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.key = key
        self.bucket_name = bucket_name
        self.mime = mime
        self.meta = meta
        self.headers = headers
        self.acl = acl
        self.storage_class = storage_class
        self.tags = tags
        self.forbid_overwrite = forbid_overwrite
        self.traffic_limit = traffic_limit
        self.callback = callback
        self._result: Any = None

    @abstractmethod
    def upload(self, context: Context) -> UploadResult | CopyResult:
        """Do the work."""

    def execute(self, context: Context) -> dict[str, Any]:
        """Store the object and return the result as plain data."""
        with failing_at_once():
            result = self._result = self.upload(context)
        self.log.info("%s", result.describe())
        return result.as_dict()

    def post_execute(self, context: Context, result: Any = None) -> None:
        """Publish the link where Airflow does not do that itself."""
        super().post_execute(context, result)
        OSSObjectLink().publish(self.console_url(), context)

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
        from airflow_provider_oss.operators.lineage import TaskLineage, as_openlineage

        return as_openlineage(TaskLineage() if self._result is None else self.lineage(self._result))

    def lineage(self, result: Any) -> TaskLineage:
        """Return what the task with this result has read and stored."""
        from airflow_provider_oss.operators.lineage import TaskLineage, source, stored

        return TaskLineage(
            [source(location) for location in self.sources()], [stored(result.bucket, result.key, result.size)]
        )

    def sources(self) -> Sequence[str | os.PathLike[str]]:
        """Return the files of the worker, and the URLs, that are read."""
        return ()

    def object_options(self) -> ObjectOptionArguments:
        """Return the arguments that describe the object, for the hook."""
        return {
            "mime": self.mime,
            "meta": self.meta,
            "headers": self.headers,
            "acl": self.acl,
            "storage_class": self.storage_class,
            "tags": self.tags,
            "forbid_overwrite": self.forbid_overwrite,
            "traffic_limit": whole_number("traffic_limit", self.traffic_limit),
            "callback": self.callback,
        }


def folder_of(key: str) -> str:
    """Return the key without what is behind its last slash."""
    return key[: key.rfind("/") + 1]


def whole_number(name: str, value: float | str | None) -> int | None:
    """Return a number that may have come out of a template as text. Raises OSSInvalidArgument when it is none."""
    from airflow_provider_oss.exceptions import OSSInvalidArgument

    if value is None or isinstance(value, int):
        return value
    with suppress(TypeError, ValueError):
        if not isinstance(value, float) or value.is_integer():
            return int(value)
    raise OSSInvalidArgument(f"{name}={value!r} is no whole number")


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
