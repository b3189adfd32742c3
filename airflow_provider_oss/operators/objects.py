"""Objects that are there: listed, and deleted."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_oss.operators.base import OSSBaseOperator, failing_at_once, whole_number

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

_MAX_KEYS: Final = 10_000
"""An XCom of this many addresses has about a megabyte."""
_SHOWN: Final = 10
_LOGGED: Final = 1000


class OSSListOperator(OSSBaseOperator):
    """
    Returns the addresses, ``oss://bucket/key``, of the objects that a prefix and globs name; all of them, or fails.

    They are in the order of the keys' UTF-8 bytes. Every operator takes one as its ``key``, whatever its bucket:
    ``.expand(key=list.output)``. No object at all is an empty list. For ``oss_conn_id`` and ``region`` see
    OSSBaseOperator.

    :param prefix: what the keys begin with, taken as it is (end it with a slash for what is below a folder), or
        ``oss://bucket/prefix``. "" is the whole bucket. Only what it names is listed by OSS. Templated.
    :param bucket_name: bucket; None for the connection's schema. Templated.
    :param include: globs; None for all. They are compared with the whole key, as OSSUploadDirectoryOperator compares
        paths: ``*`` is any text within a component, a component ``**`` any number of components. Templated.
    :param exclude: globs of keys that are not meant, though ``include`` names them. Templated.
    :param delimiter: "/" leaves out what is in subfolders of the prefix, on the side of OSS. Templated.
    :param max_keys: more objects than this fail the task: a result goes into XCom, which is Airflow's database as a
        rule, and ``.expand()`` takes no more than [core] max_map_length. None for any number. Templated.
    """

    template_fields: Sequence[str] = (
        *OSSBaseOperator.template_fields, "prefix", "bucket_name", "include", "exclude", "delimiter", "max_keys",
    )  # fmt: skip

    def __init__(
        self,
        *,
        prefix: str = "",
        bucket_name: str | None = None,
        include: str | Sequence[str] | None = None,
        exclude: str | Sequence[str] | None = None,
        delimiter: str = "",
        max_keys: int | str | None = _MAX_KEYS,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.prefix = prefix
        self.bucket_name = bucket_name
        self.include = include
        self.exclude = exclude
        self.delimiter = delimiter
        self.max_keys = max_keys

    def execute(self, context: Context) -> list[str]:  # noqa: ARG002 - Airflow's signature
        """List, and return the addresses."""
        with failing_at_once():
            found = list(self._addresses())
        self.log.info(
            "Found %d objects below %s", len(found), self.hook.resolve_key_prefix(self.prefix, self.bucket_name)
        )
        return found

    def _addresses(self) -> Iterator[str]:
        from airflow_provider_oss.exceptions import OSSInvalidArgument
        from airflow_provider_oss.transfer.tree.globs import Selection

        selection, most = Selection(self.include, self.exclude), whole_number("max_keys", self.max_keys)
        found = 0
        for item in self.hook.list_objects(self.prefix, self.bucket_name, self.delimiter):
            if selection.matches(item.ref.key):
                found += 1
                if most is not None and found > most:
                    raise OSSInvalidArgument(
                        f"there are more than max_keys={most} objects below prefix={self.prefix!r}: narrow prefix or "
                        "include, or raise max_keys if XCom may hold so much"
                    )
                yield item.ref.uri


class OSSDeleteObjectsOperator(OSSBaseOperator):
    """
    Deletes the objects that are named, or those below a prefix; one that is not there is no error.

    A retried attempt deletes what is left. When OSS does not report an object deleted the task fails, and Airflow
    retries it. In a bucket with versioning OSS puts a delete marker on top and keeps the versions. Returns a dict:
    ``deleted`` (a number; of ``keys``, those that were not there count too), ``keys`` (the first ten), ``dry_run``. For
    ``oss_conn_id`` and ``region`` see OSSBaseOperator.

    :param keys: a key or a list of them, each may be a whole ``oss://bucket/key``; an empty list deletes nothing. Give
        either this or ``prefix``. Templated.
    :param prefix: what the keys begin with, taken as it is: ``logs`` means ``logs-of-others/a`` too, ``logs/`` does
        not. May be ``oss://bucket/prefix``. Templated.
    :param bucket_name: bucket; None for the connection's schema. Templated.
    :param include: globs that say which objects below the prefix are meant, see OSSListOperator. Templated.
    :param exclude: globs of objects that stay. Templated.
    :param allow_whole_bucket: let an empty prefix mean all objects of the bucket; else it is an error, for it is what
        is left of a template whose value was missing.
    :param dry_run: only tell what would be deleted: the first 1,000 keys in the log, the result as if it were done.
    """

    template_fields: Sequence[str] = (
        *OSSBaseOperator.template_fields, "keys", "prefix", "bucket_name", "include", "exclude",
    )  # fmt: skip

    def __init__(
        self,
        *,
        keys: str | Sequence[str] | None = None,
        prefix: str | None = None,
        bucket_name: str | None = None,
        include: str | Sequence[str] | None = None,
        exclude: str | Sequence[str] | None = None,
        allow_whole_bucket: bool = False,
        dry_run: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.keys = keys
        self.prefix = prefix
        self.bucket_name = bucket_name
        self.include = include
        self.exclude = exclude
        self.allow_whole_bucket = allow_whole_bucket
        self.only_tell = dry_run  # ``dry_run`` is a method of every Airflow operator

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002 - Airflow's signature
        """Delete, and return what was deleted."""
        with failing_at_once():
            batches = self._named() if self.prefix is None else self._below(self.prefix)
            deleted, first = 0, list[str]()
            for batch in batches:
                if self.only_tell:
                    for key in batch[: max(_LOGGED - deleted, 0)]:
                        self.log.info("Would delete %r", key)
                deleted += len(batch)
                first += batch[: _SHOWN - len(first)]
        self.log.info("%s %d objects", "Would have deleted" if self.only_tell else "Deleted", deleted)
        return {"deleted": deleted, "keys": first, "dry_run": self.only_tell}

    def _named(self) -> Iterator[list[str]]:
        from airflow_provider_oss.exceptions import OSSInvalidArgument

        if self.keys is None or self.include is not None or self.exclude is not None:
            raise OSSInvalidArgument("give keys, or prefix with include and exclude if need be")
        keys = [self.keys] if isinstance(self.keys, str) else self.keys
        if isinstance(keys, Mapping) or _is_a_list_in_text(self.keys):
            kind = "a mapping" if isinstance(keys, Mapping) else "the text of a list"
            raise OSSInvalidArgument(
                f"keys={self.keys!r} is {kind}: give a key or a list of keys, such as list.output, or set "
                "render_template_as_native_obj"
            )
        wanted = sorted({self.hook.resolve(key, self.bucket_name) for key in keys}, key=lambda ref: ref.uri)
        for bucket, refs in groupby(wanted, key=lambda ref: ref.bucket):
            named = list(refs)
            if not self.only_tell:
                self.hook.delete_objects((ref.uri for ref in named), bucket)
            yield [ref.key for ref in named]

    def _below(self, prefix: str) -> Iterator[list[str]]:
        from airflow_provider_oss.exceptions import OSSInvalidArgument
        from airflow_provider_oss.transfer.tree.globs import Selection

        if self.keys is not None:
            raise OSSInvalidArgument("keys and prefix are given: give one of them")
        below, selection = self.hook.resolve_key_prefix(prefix, self.bucket_name), Selection(self.include, self.exclude)
        if not below.prefix and not self.allow_whole_bucket:
            raise OSSInvalidArgument(
                f"prefix={prefix!r} means every object of bucket {below.bucket!r}: if that is meant, say so with "
                "allow_whole_bucket=True"
            )
        if not self.only_tell:
            return self.hook.delete_below(str(below), selection=selection)
        found = self.hook.list_objects(str(below))
        return ([item.ref.key] for item in found if selection.matches(item.ref.key))


def _is_a_list_in_text(keys: Any) -> bool:
    """Whether this is what a template makes of a list of keys, instead of one key."""
    if not (isinstance(keys, str) and keys.startswith("[") and keys.endswith("]")):
        return False
    try:
        listed = ast.literal_eval(keys)
    except (ValueError, SyntaxError):
        return False
    return bool(listed) and all(isinstance(key, str) for key in listed)
