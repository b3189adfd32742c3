"""A local directory to OSS."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from airflow_provider_oss.limits import MAX_MAPPED_TASKS
from airflow_provider_oss.operators.resumable import OSSFilesBaseOperator
from airflow_provider_oss.operators.shards import (
    OSSFinishDirectoryOperator,
    OSSPlanDirectoryOperator,
    name_of_shard,
)

if TYPE_CHECKING:
    from typing import Unpack

    from airflow.providers.common.compat.sdk import Context, TaskGroup, XComArg

    from airflow_provider_oss.engine.tree.result import TreeResult
    from airflow_provider_oss.lineage import TaskLineage
    from airflow_provider_oss.operators import MappedDirectoryOptions, ResumableKeywords


class OSSUploadDirectoryOperator(OSSFilesBaseOperator):
    """
    Stores all files of a directory and below it under a prefix, the tree kept; what OSS holds already is not sent.

    OSS's listing of the prefix says what is there. Where the size is equal the bytes are compared, by the MD5 that the
    listing has for a small file and else by the CRC-64 that HeadObject returns; times of modification mean nothing. So
    a retried attempt sends what is missing, and a second run what has changed. Of ``mime``, ``meta`` and the other
    things that are stored with an object nothing is compared. Small files are pipelined, ``parallel`` at a time; those
    of several parts are uploaded one after the other, resumably, their parts ``parallel`` at a time.

    A file that fails is reported, the others are stored, and then the task fails: at once when no retry can mend any of
    the failures. Only when three files in a row cannot be sent because OSS cannot be reached the rest is left to the
    next attempt. A name that is no UTF-8, or makes a key of more than 1,023 bytes, fails that file. An empty directory
    leaves no trace; what is neither file nor directory is left out with a line in the log.

    Returns a dict: ``files``, ``sent``, ``skipped``, ``deleted``, ``failed`` (numbers, with ``size``, ``sent_size``,
    ... in bytes), ``failures`` (the first ten, with ``file`` and ``error``), ``not_tried``, ``left_out``,
    ``bytes_sent``, ``bytes_verified``, ``elapsed_seconds``, ``directory, bucket, prefix, uri, dry_run``. It is in XCom
    also when files failed. For the other arguments see OSSResumableBaseOperator and OSSUploadBaseOperator; they hold
    for every file.

    :param directory: path of the directory on the worker. Templated.
    :param key: the prefix, or ``oss://bucket/prefix``; it gets a slash at its end if it has none. "" is the whole
        bucket. Templated.
    :param include: globs; None for all files. They are compared with the whole path relative to ``directory``, with "/"
        between its components, case-sensitively: ``*`` is any text within a component, ``?`` one character, ``[ab]``
        and ``[!ab]`` one of, or none of, these; a component ``**`` is any number of components, at the end everything
        below. ``*.csv`` are files in the directory itself, ``**/*.csv`` those at any depth, ``logs/**`` all below
        logs. Templated.
    :param exclude: globs of files that are not meant, though ``include`` names them. Templated.
    :param symlinks: ``"follow"``: what they lead to is stored, wherever that is; ``"skip"``: they are left out with a
        line in the log; ``"error"``: each is a failure. A symlink to a directory that it is in is left out in any case.
        ``directory`` itself may be one. Templated.
    :param skip_unchanged: False sends every file.
    :param delete_removed: delete the objects below the prefix that the globs mean and the directory does not have.
        Never when a file failed, nor without a prefix, nor what stands for a folder (a key with a slash at its end).
    :param allow_empty: let there be no file that the globs mean, which is an error else, but for an empty directory
        without ``include``; let ``delete_removed`` delete all of the objects then.
    :param dry_run: only report what would be sent and deleted: in the log the first 1,000 names of each, in the result
        the first ten (``would_send``, ``would_delete``) and the numbers.
    :param shard: what OSSPlanDirectoryOperator returned for one shard: only what is in it is stored; None for all. It
        may have no file, and nothing is deleted: see OSSFinishDirectoryOperator. Templated.
    :param progress: called as ``progress(fraction, checkpoint, response)`` after every file and every part of a large
        one: the fraction of all bytes that is done; an UploadResult, a part, or None for what OSS held already.
    """

    template_fields: Sequence[str] = (
        *OSSFilesBaseOperator.template_fields, "directory", "include", "exclude", "symlinks", "shard",
    )  # fmt: skip
    exclusive: ClassVar[Sequence[str]] = ("shard", "delete_removed")
    transfer_kind = "directory"

    directory: str | os.PathLike[str]
    include: str | Sequence[str] | None
    exclude: str | Sequence[str] | None
    symlinks: str
    skip_unchanged: bool
    delete_removed: bool
    allow_empty: bool
    only_tell: bool
    shard: Mapping[str, Any] | None

    def __init__(  # noqa: PLR0913 - one argument for each thing a user may want otherwise
        self,
        *,
        directory: str | os.PathLike[str] | XComArg,
        include: str | Sequence[str | XComArg] | XComArg | None = None,
        exclude: str | Sequence[str | XComArg] | XComArg | None = None,
        symlinks: str | XComArg = "follow",
        skip_unchanged: bool = True,
        delete_removed: bool = False,
        allow_empty: bool = False,
        dry_run: bool = False,
        shard: Mapping[str, Any] | XComArg | None = None,
        **kwargs: Unpack[ResumableKeywords],
    ) -> None:
        super().__init__(**kwargs)
        self._keep(
            directory=directory,
            include=include,
            exclude=exclude,
            symlinks=symlinks,
            skip_unchanged=skip_unchanged,
            delete_removed=delete_removed,
            allow_empty=allow_empty,
            only_tell=dry_run,
            shard=shard,
        )

    @override
    def contradiction(self) -> str | None:
        if self.shard is None or not self.delete_removed:
            return None
        return (
            "delete_removed=True with a shard: what is gone can be deleted when all shards are stored; give "
            "delete_removed to OSSFinishDirectoryOperator"
        )

    @property
    def shard_name(self) -> str:
        """What is stored, for people: ``a/b.csv to c/d.csv, about 1,200 files``. For ``map_index_template``."""
        if self.shard is None:
            return str(self.directory)
        return name_of_shard(self.shard)

    def check_arguments(self) -> None:
        """Check also that each of several tasks has a place of its own for what is unfinished."""
        from airflow_provider_oss.exceptions import OSSInvalidArgument

        super().check_arguments()
        if self.shard is not None and not isinstance(self.checkpoint, str):
            raise OSSInvalidArgument(
                f"checkpoint={self.checkpoint!r} would be one place for the tasks of all shards: name a store"
            )

    @override
    def work(self, context: Context) -> TreeResult:
        return self.hook.upload_directory(
            self.key,
            self.directory,
            self.bucket_name,
            include=self.include,
            exclude=self.exclude,
            symlinks=self.symlinks,
            skip_unchanged=self.skip_unchanged,
            delete_removed=self.delete_removed,
            allow_empty=self.allow_empty,
            dry_run=self.only_tell,
            shard=self.shard,
            **self.sending_arguments(context),
        )

    @override
    def sources(self) -> Sequence[str | os.PathLike[str]]:
        return (self.directory,)

    @override
    def lineage(self, result: TreeResult) -> TaskLineage:
        from airflow_provider_oss.lineage import TaskLineage

        return TaskLineage() if result.dry_run else super().lineage(result)


def mapped_directory_upload(
    group_id: str,
    *,
    directory: str | os.PathLike[str] | XComArg,
    key: str | XComArg,
    shards: int | str | XComArg = 8,
    shard_files: int | str | XComArg | None = None,
    max_shards: int | str | XComArg = MAX_MAPPED_TASKS,
    **arguments: Unpack[MappedDirectoryOptions],
) -> TaskGroup:
    """
    Make a task group that stores one directory by many tasks: ``plan`` cuts it, ``send`` is mapped, ``finish`` ends it.

    It pays where one worker is the limit: its network, its disk, its CPU. All workers must see the same directory. A
    task that fails is retried, or cleared, by itself, and sends what is missing of its shard; ``plan`` need not run
    again, and if it does, the same directory gives the same shards. ``finish`` returns the sums, and deletes what is
    gone if ``delete_removed``. Must be called in a DAG.

    Arguments of Airflow (``retries``, ``pool``, ``queue``, ...) hold for all three, but ``inlets`` and ``trigger_rule``
    for ``plan`` alone, ``outlets`` and ``on_success_callback`` for ``finish`` alone, and what is said of mapped tasks
    (``map_index_template``, ``max_active_tis_per_dagrun``) for ``send`` alone.

    :param group_id: name of the group: its tasks are ``group_id.plan`` and so on.
    :param directory: see OSSUploadDirectoryOperator, as for ``key`` and all other arguments.
    :param key: the prefix, or ``oss://bucket/prefix``.
    :param shards: how many, if there are as many files; see OSSPlanDirectoryOperator.
    :param shard_files: so many files each at most, about.
    :param max_shards: at most ``[core] max_map_length``.
    """
    from airflow.providers.common.compat.sdk import TaskGroup

    from airflow_provider_oss.operators.groups import Kinds, handed_out

    given: dict[str, Any] = {
        "map_index_template": "{{ task.shard_name }}",
        **arguments,
        "directory": directory,
        "key": key,
        "shards": shards,
        "shard_files": shard_files,
        "max_shards": max_shards,
    }
    kinds = Kinds(OSSPlanDirectoryOperator, OSSUploadDirectoryOperator, OSSFinishDirectoryOperator)
    to_plan, to_send, to_finish = handed_out(kinds, given)
    to_send.pop("delete_removed", None)  # which the last task does
    with TaskGroup(group_id) as group:
        plan = OSSPlanDirectoryOperator(task_id="plan", **to_plan)
        send = OSSUploadDirectoryOperator.partial(task_id="send", **to_send).expand(shard=plan.output)
        to_finish |= {"shards": plan.output, "results": send.output}
        OSSFinishDirectoryOperator(task_id="finish", **to_finish)
    return group
