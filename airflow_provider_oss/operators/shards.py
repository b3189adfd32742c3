"""
The first and the last task of those that store one directory together: it is cut into shards; what is gone is deleted.

The tasks in between, and ``mapped_directory_upload``, which makes all of them, are in ``operators.directory``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from typing_extensions import override

from airflow_provider_oss.limits import MAX_MAPPED_TASKS
from airflow_provider_oss.operators.base import OSSBaseOperator

if TYPE_CHECKING:
    from typing import Unpack

    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_oss.engine.tree.result import TreeResult
    from airflow_provider_oss.model import PlainResult
    from airflow_provider_oss.operators import ConnectionKeywords, TreeKeywords


_MOST_OF_A_PATH: Final = 80
"""Characters of each end, of which Airflow's page of mapped tasks shows no more than 250 in all."""


def name_of_shard(shard: Mapping[str, Any]) -> str:
    """Return what a shard is called where people read it. Its first file is the one behind ``after``."""
    begin, end = shard.get("after"), shard.get("until")
    ends = f"{_end_of(begin) if begin else 'the beginning'} to {_end_of(end) if end else 'the end'}"
    return f"{ends}, about {shard['files']:,} files" if "files" in shard else ends


def _end_of(path: str) -> str:
    from airflow_provider_oss.shown import printable

    shown = printable(path)
    return shown if len(shown) <= _MOST_OF_A_PATH else f"...{shown[-_MOST_OF_A_PATH:]}"


class OSSTreeBaseOperator(OSSBaseOperator):
    """
    Works with a directory and the prefix that it is stored under.

    :param directory: path of the directory on the worker. Templated, like every text below.
    :param key: the prefix, or ``oss://bucket/prefix``; it gets a slash at its end if it has none.
    :param bucket_name: bucket; None for the connection's schema.
    :param include: globs of the files that are meant; None for all. See OSSUploadDirectoryOperator.
    :param exclude: globs of files that are not meant, though ``include`` names them.
    :param symlinks: ``"follow"``, ``"skip"`` or ``"error"``. See OSSUploadDirectoryOperator.
    :param allow_empty: let there be no file that the globs mean.
    """

    template_fields: Sequence[str] = (
        *OSSBaseOperator.template_fields, "directory", "key", "bucket_name", "include", "exclude", "symlinks",
    )  # fmt: skip

    directory: str | os.PathLike[str]
    key: str
    bucket_name: str | None
    include: str | Sequence[str] | None
    exclude: str | Sequence[str] | None
    symlinks: str
    allow_empty: bool

    def __init__(
        self,
        *,
        directory: str | os.PathLike[str] | XComArg,
        key: str | XComArg,
        bucket_name: str | XComArg | None = None,
        include: str | Sequence[str | XComArg] | XComArg | None = None,
        exclude: str | Sequence[str | XComArg] | XComArg | None = None,
        symlinks: str | XComArg = "follow",
        allow_empty: bool = False,
        **kwargs: Unpack[ConnectionKeywords],
    ) -> None:
        super().__init__(**kwargs)
        self._keep(
            directory=directory,
            key=key,
            bucket_name=bucket_name,
            include=include,
            exclude=exclude,
            symlinks=symlinks,
            allow_empty=allow_empty,
        )

    def check_arguments(self) -> None:
        """Check also the prefix, before the directory is read."""
        super().check_arguments()
        self.hook.resolve_prefix(self.key, self.bucket_name, storing=True)


class OSSPlanDirectoryOperator(OSSTreeBaseOperator):
    """
    Cuts a directory into shards of about equal work, for as many mapped tasks that store one each.

    A shard is a range of paths in the order of their UTF-8 bytes. Every file is in exactly one, also one that comes up
    after the planning, and the same directory gives the same shards. The directory is read once, without its files'
    contents; up to 65,536 files the shards are cut exactly, beyond by a sample, so memory does not grow with the files.
    The tasks must see the same directory: on a shared volume, or on one worker.

    Returns a list of dicts, for ``OSSUploadDirectoryOperator.partial(...).expand(shard=plan.output)``: ``after`` and
    ``until``, the ends of the range (None is open), and about how many ``files`` and bytes (``size``) are in it. An
    empty directory has one shard. See ``mapped_directory_upload`` for all in one call. For the other arguments see
    OSSTreeBaseOperator and OSSBaseOperator.

    :param shards: how many, if there are as many files. Templated.
    :param shard_files: so many files each at most, about; ``shards`` is the least number then, and the work is the
        number of files. Templated.
    :param max_shards: the task fails when ``shard_files`` makes more: Airflow maps a task over at most ``[core]
        max_map_length`` things, 1,024 unless it was set. Templated.
    """

    template_fields: Sequence[str] = (*OSSTreeBaseOperator.template_fields, "shards", "shard_files", "max_shards")

    shards: int | str
    shard_files: int | str | None
    max_shards: int | str

    def __init__(
        self,
        *,
        shards: int | str | XComArg = 8,
        shard_files: int | str | XComArg | None = None,
        max_shards: int | str | XComArg = MAX_MAPPED_TASKS,
        **kwargs: Unpack[TreeKeywords],
    ) -> None:
        super().__init__(**kwargs)
        self._keep(shards=shards, shard_files=shard_files, max_shards=max_shards)

    @override
    def work(self, context: Context) -> PlainResult:
        from airflow_provider_oss.model import PlainResult

        if not self.do_xcom_push:
            raise _refused("do_xcom_push=False: the tasks that send learn by XCom what to send")
        found = self.hook.plan_directory(
            self.directory,
            shards=self.shards,
            shard_files=self.shard_files,
            max_shards=self.max_shards,
            include=self.include,
            exclude=self.exclude,
            symlinks=self.symlinks,
            allow_empty=self.allow_empty,
        )
        files, size_bytes = (sum(shard[name] for shard in found) for name in ("files", "size"))
        line = f"{self.directory}: {len(found)} shards, about {files} files and {size_bytes} bytes"
        return PlainResult(found, line)


class OSSFinishDirectoryOperator(OSSTreeBaseOperator):
    """
    Ends what mapped tasks have stored of one directory: all shards must be there; then what is gone may be deleted.

    A shard of the plan without a result, as after *mark success*, fails the task for good: the error says which, and
    what to clear. With ``delete_removed`` the directory is read and the prefix listed once more, shard by shard, in
    bounded memory, and what OSSUploadDirectoryOperator would delete is deleted. Nothing is when a file of any shard
    failed, and only reported when the shards were sent with ``dry_run``.

    Returns the sums of the results, a dict like that of OSSUploadDirectoryOperator: ``elapsed_seconds`` is the time of
    all tasks together, ``failures`` are the first ten. A failed file fails the task. For the other arguments see
    OSSTreeBaseOperator and OSSBaseOperator; they must be those of the tasks that sent.

    :param shards: what OSSPlanDirectoryOperator returned: ``plan.output``. Templated.
    :param results: what the mapped OSSUploadDirectoryOperator returned: ``send.output``. Templated.
    :param delete_removed: delete the objects below the prefix that the globs mean and the directory does not have.
        Never without a prefix, nor what stands for a folder, nor all because the directory is empty, unless
        ``allow_empty``.
    """

    template_fields: Sequence[str] = (*OSSTreeBaseOperator.template_fields, "shards", "results")

    shards: Sequence[Mapping[str, Any]]
    results: Sequence[Mapping[str, Any] | None]
    delete_removed: bool

    def __init__(
        self,
        *,
        shards: Sequence[Mapping[str, Any]] | XComArg,
        results: Sequence[Mapping[str, Any] | None] | XComArg,
        delete_removed: bool = False,
        **kwargs: Unpack[TreeKeywords],
    ) -> None:
        super().__init__(**kwargs)
        self._keep(shards=shards, results=results, delete_removed=delete_removed)

    @override
    def work(self, context: Context) -> TreeResult:
        from dataclasses import replace

        shards = list(self.shards[:])  # at once: to go through what Airflow gives asks it for each
        total = self._sum(shards)
        if not self.delete_removed:
            return total
        removed = self.hook.delete_removed(
            self.key,
            self.directory,
            self.bucket_name,
            shards=shards,
            include=self.include,
            exclude=self.exclude,
            symlinks=self.symlinks,
            allow_empty=self.allow_empty,
            dry_run=total.dry_run,
        )
        return replace(total, deleted=removed.deleted, would_delete=removed.would_delete)

    def _sum(self, shards: Sequence[Mapping[str, Any]]) -> TreeResult:
        """Return the sum of the results of all shards. Raises OSSInvalidArgument where that says less than all."""
        from airflow_provider_oss.engine.tree.result import sum_of
        from airflow_provider_oss.engine.tree.walk import check_plan
        from airflow_provider_oss.exceptions import OSSProviderError
        from airflow_provider_oss.shown import a_type

        check_plan(shards)
        try:
            return sum_of(self._results_of(shards))
        except OSSProviderError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise _refused(
                f"results has {a_type(error)} ({error}) in place of what OSSUploadDirectoryOperator returns: give "
                "send.output as it is"
            ) from error

    def _results_of(self, shards: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Return the result of each shard. Raises OSSInvalidArgument when one is missing, or of something else."""
        by_ends: dict[tuple[Any, Any], Mapping[str, Any]] = {}
        for result in self.results[:]:
            if isinstance(result, Mapping) and isinstance(result.get("shard"), Mapping):
                by_ends.setdefault(_ends(result["shard"]), result)
        return [self._result_of(index, shard, by_ends) for index, shard in enumerate(shards)]

    def _result_of(
        self, index: int, shard: Mapping[str, Any], by_ends: Mapping[tuple[Any, Any], Mapping[str, Any]]
    ) -> Mapping[str, Any]:
        from airflow_provider_oss.shown import printable

        result = by_ends.get(_ends(shard))
        if result is None:
            raise _refused(
                f"shard {index} of {self.directory} ({name_of_shard(shard)}) has no result: its task was marked as "
                f"success, or ran with another plan; clear the task with map index {index}, and this one after it"
            )
        if result["failed"] or result["not_tried"]:
            raise _refused(
                f"shard {index} of {self.directory} ({name_of_shard(shard)}): {result['failed']} of its files were not "
                f"stored and {result['not_tried']} not tried, such as {result['failures'][:1]}, and its task was "
                f"marked as success; clear the task with map index {index}, and this one after it"
            )
        here = printable(os.fspath(self.directory))
        if result["directory"] != here:
            raise _refused(
                f"shard {index} was read from {result['directory']!r}, and directory={here!r}: give the directory of "
                "the tasks that sent"
            )
        target = self.hook.resolve_prefix(self.key, self.bucket_name, storing=True)
        if result["uri"] != target.uri:
            raise _refused(
                f"shard {index} was stored below {result['uri']}, and key={self.key!r} means {target.uri}: give the "
                "key and bucket_name of the tasks that sent"
            )
        return result


def _ends(shard: Mapping[str, Any]) -> tuple[Any, Any]:
    return shard.get("after"), shard.get("until")


def _refused(text: str) -> Exception:
    from airflow_provider_oss.exceptions import OSSInvalidArgument

    return OSSInvalidArgument(text)
