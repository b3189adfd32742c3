"""Objects that are there: listed, and deleted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, ClassVar, Final

from typing_extensions import override

from airflow_provider_oss.operators.base import OSSBaseOperator
from airflow_provider_oss.shown import MOST_NAMED, Log

if TYPE_CHECKING:
    from typing import Unpack

    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_oss.model import PlainResult
    from airflow_provider_oss.operators import ConnectionKeywords

log = Log(__name__)

_MAX_KEYS: Final = 10_000
"""An XCom of this many addresses has about a megabyte."""
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

    prefix: str
    bucket_name: str | None
    include: str | Sequence[str] | None
    exclude: str | Sequence[str] | None
    delimiter: str
    max_keys: int | str | None

    def __init__(
        self,
        *,
        prefix: str | XComArg = "",
        bucket_name: str | XComArg | None = None,
        include: str | Sequence[str | XComArg] | XComArg | None = None,
        exclude: str | Sequence[str | XComArg] | XComArg | None = None,
        delimiter: str | XComArg = "",
        max_keys: int | str | XComArg | None = _MAX_KEYS,
        **kwargs: Unpack[ConnectionKeywords],
    ) -> None:
        super().__init__(**kwargs)
        self._keep(
            prefix=prefix,
            bucket_name=bucket_name,
            include=include,
            exclude=exclude,
            delimiter=delimiter,
            max_keys=max_keys,
        )

    @override
    def work(self, context: Context) -> PlainResult:
        from airflow_provider_oss.model import PlainResult

        found, below = list(self._addresses()), self.hook.resolve_key_prefix(self.prefix, self.bucket_name)
        return PlainResult(found, f"Found {len(found)} objects below {below}")

    def _addresses(self) -> Iterator[str]:
        from airflow_provider_oss.exceptions import OSSInvalidArgument
        from airflow_provider_oss.globs import Selection
        from airflow_provider_oss.quantities import whole_number

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
    :param dry_run: only report what would be deleted: the first 1,000 keys in the log, the result as if it were done.
    """

    template_fields: Sequence[str] = (
        *OSSBaseOperator.template_fields, "keys", "prefix", "bucket_name", "include", "exclude",
    )  # fmt: skip
    exclusive: ClassVar[Sequence[str]] = ("keys", "prefix", "include", "exclude")

    keys: str | Sequence[str] | None
    prefix: str | None
    bucket_name: str | None
    include: str | Sequence[str] | None
    exclude: str | Sequence[str] | None
    allow_whole_bucket: bool
    only_tell: bool

    def __init__(
        self,
        *,
        keys: str | Sequence[str | XComArg] | XComArg | None = None,
        prefix: str | XComArg | None = None,
        bucket_name: str | XComArg | None = None,
        include: str | Sequence[str | XComArg] | XComArg | None = None,
        exclude: str | Sequence[str | XComArg] | XComArg | None = None,
        allow_whole_bucket: bool = False,
        dry_run: bool = False,
        **kwargs: Unpack[ConnectionKeywords],
    ) -> None:
        super().__init__(**kwargs)
        self._keep(
            keys=keys,
            prefix=prefix,
            bucket_name=bucket_name,
            include=include,
            exclude=exclude,
            allow_whole_bucket=allow_whole_bucket,
            only_tell=dry_run,
        )

    @override
    def work(self, context: Context) -> PlainResult:
        from airflow_provider_oss.model import PlainResult

        batches = self._named() if self.prefix is None else self._below(self.prefix)
        deleted, first = 0, list[str]()
        for batch in batches:
            if self.only_tell:
                for key in batch[: max(_LOGGED - deleted, 0)]:
                    log.info("Would delete %s", key)
            deleted += len(batch)
            first += batch[: MOST_NAMED - len(first)]
        done = "Would have deleted" if self.only_tell else "Deleted"
        return PlainResult({"deleted": deleted, "keys": first, "dry_run": self.only_tell}, f"{done} {deleted} objects")

    def contradiction(self) -> str | None:
        """Return what is wrong when there is not one of keys and prefix, or globs are not about a prefix."""
        if self.keys is not None and self.prefix is not None:
            return "keys and prefix are given: give one of them"
        if self.prefix is None and (self.keys is None or self.include is not None or self.exclude is not None):
            return "give keys, or prefix with include and exclude if need be"
        return None

    def _named(self) -> Iterator[list[str]]:
        keys = [self.keys] if isinstance(self.keys, str) else self.keys or ()
        wanted = sorted({self.hook.resolve(key, self.bucket_name) for key in keys}, key=lambda ref: ref.uri)
        for bucket, refs in groupby(wanted, key=lambda ref: ref.bucket):
            named = list(refs)
            if not self.only_tell:
                self.hook.delete_objects((ref.uri for ref in named), bucket)
            yield [ref.key for ref in named]

    def _below(self, prefix: str) -> Iterator[list[str]]:
        from airflow_provider_oss.exceptions import OSSInvalidArgument
        from airflow_provider_oss.globs import Selection

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
