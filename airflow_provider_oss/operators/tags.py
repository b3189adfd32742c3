"""Tags of objects."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_oss.operators.base import OSSBaseOperator, failing_at_once

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class OSSObjectTagsBaseOperator(OSSBaseOperator):
    """
    Works with the tags of one object, and returns those that it has then as a dict.

    An object that is not there fails the task, and Airflow retries it. For ``oss_conn_id`` and ``region`` see
    OSSBaseOperator.

    :param key: object name, or a whole ``oss://bucket/key``. Templated.
    :param bucket_name: bucket; None for the connection's schema. Templated.
    """

    template_fields: Sequence[str] = (*OSSBaseOperator.template_fields, "key", "bucket_name")

    def __init__(self, *, key: str, bucket_name: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.key = key
        self.bucket_name = bucket_name

    @abstractmethod
    def work(self) -> dict[str, str]:
        """Return the tags that the object has then."""

    def execute(self, context: Context) -> dict[str, str]:  # noqa: ARG002 - Airflow's signature
        """Do the work and return the tags."""
        with failing_at_once():
            tags = self.work()
            self.log.info("%s has %d tags", self.hook.resolve(self.key, self.bucket_name), len(tags))
        return tags


class OSSGetObjectTagsOperator(OSSObjectTagsBaseOperator):
    """Returns the tags of an object as a dict. For the arguments see OSSObjectTagsBaseOperator."""

    def work(self) -> dict[str, str]:
        """Ask for them."""
        return self.hook.get_object_tags(self.key, self.bucket_name)


class OSSSetObjectTagsOperator(OSSObjectTagsBaseOperator):
    """
    Gives an object these tags and no others, and returns them. For the other arguments see OSSObjectTagsBaseOperator.

    :param tags: up to 10 tags; names of 1 to 128 characters, values of up to 256; numbers and booleans become text.
        Templated.
    """

    template_fields: Sequence[str] = (*OSSObjectTagsBaseOperator.template_fields, "tags")
    template_fields_renderers: ClassVar[dict[str, str]] = {"tags": "json"}

    def __init__(self, *, tags: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.tags = tags

    def work(self) -> dict[str, str]:
        """Replace them."""
        return self.hook.set_object_tags(self.key, self.tags, self.bucket_name)


class OSSDeleteObjectTagsOperator(OSSObjectTagsBaseOperator):
    """Removes all tags of an object; returns an empty dict. For the arguments see OSSObjectTagsBaseOperator."""

    def work(self) -> dict[str, str]:
        """Remove them."""
        self.hook.delete_object_tags(self.key, self.bucket_name)
        return {}
