"""Tags of objects."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from airflow_provider_oss.operators.base import OSSBaseOperator

if TYPE_CHECKING:
    from typing import Unpack

    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_oss.model import PlainResult
    from airflow_provider_oss.operators import ConnectionKeywords, ObjectTagsKeywords


class OSSObjectTagsBaseOperator(OSSBaseOperator):
    """
    Works with the tags of one object, and returns those that it has then as a dict.

    An object that is not there fails the task, and Airflow retries it. For ``oss_conn_id`` and ``region`` see
    OSSBaseOperator.

    :param key: object name, or a whole ``oss://bucket/key``. Templated.
    :param bucket_name: bucket; None for the connection's schema. Templated.
    """

    template_fields: Sequence[str] = (*OSSBaseOperator.template_fields, "key", "bucket_name")

    key: str
    bucket_name: str | None

    def __init__(
        self, *, key: str | XComArg, bucket_name: str | XComArg | None = None, **kwargs: Unpack[ConnectionKeywords]
    ) -> None:
        super().__init__(**kwargs)
        self._keep(key=key, bucket_name=bucket_name)

    @abstractmethod
    def apply(self) -> dict[str, str]:
        """Do the work, and return the tags that the object has then."""

    def work(self, context: Context) -> PlainResult:  # noqa: ARG002 - nothing of it is needed
        """Return the tags that the object has in the end."""
        from airflow_provider_oss.model import PlainResult

        tags = self.apply()
        return PlainResult(tags, f"{self.hook.resolve(self.key, self.bucket_name)} has {len(tags)} tags")


class OSSGetObjectTagsOperator(OSSObjectTagsBaseOperator):
    """Returns the tags of an object as a dict. For the arguments see OSSObjectTagsBaseOperator."""

    @override
    def apply(self) -> dict[str, str]:
        return self.hook.get_object_tags(self.key, self.bucket_name)


class OSSSetObjectTagsOperator(OSSObjectTagsBaseOperator):
    """
    Gives an object these tags and no others, and returns them. For the other arguments see OSSObjectTagsBaseOperator.

    :param tags: up to 10 tags; names of 1 to 128 characters, values of up to 256; numbers and booleans become text.
        Templated.
    """

    template_fields: Sequence[str] = (*OSSObjectTagsBaseOperator.template_fields, "tags")
    template_fields_renderers: ClassVar[dict[str, str]] = {"tags": "json"}

    tags: Mapping[str, str | float | bool]

    def __init__(
        self, *, tags: Mapping[str, str | float | bool | XComArg] | XComArg, **kwargs: Unpack[ObjectTagsKeywords]
    ) -> None:
        super().__init__(**kwargs)
        self._keep(tags=tags)

    @override
    def apply(self) -> dict[str, str]:
        return self.hook.set_object_tags(self.key, self.tags, self.bucket_name)


class OSSDeleteObjectTagsOperator(OSSObjectTagsBaseOperator):
    """Removes all tags of an object; returns an empty dict. For the arguments see OSSObjectTagsBaseOperator."""

    @override
    def apply(self) -> dict[str, str]:
        self.hook.delete_object_tags(self.key, self.bucket_name)
        return {}
