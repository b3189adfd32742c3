"""A local directory to OSS."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from typing_extensions import override

from airflow_provider_oss.operators.resumable import OSSFilesBaseOperator

if TYPE_CHECKING:
    from typing import Unpack

    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_oss.engine.tree.result import TreeResult
    from airflow_provider_oss.lineage import TaskLineage
    from airflow_provider_oss.operators import ResumableKeywords


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
    :param progress: called as ``progress(fraction, checkpoint, response)`` after every file and every part of a large
        one: the fraction of all bytes that is done; an UploadResult, a part, or None for what OSS held already.
    """

    template_fields: Sequence[str] = (
        *OSSFilesBaseOperator.template_fields, "directory", "include", "exclude", "symlinks",
    )  # fmt: skip

    directory: str | os.PathLike[str]
    include: str | Sequence[str] | None
    exclude: str | Sequence[str] | None
    symlinks: str
    skip_unchanged: bool
    delete_removed: bool
    allow_empty: bool
    only_tell: bool

    def __init__(
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
            **self.sending_arguments(context),
        )

    @override
    def sources(self) -> Sequence[str | os.PathLike[str]]:
        return (self.directory,)

    @override
    def lineage(self, result: TreeResult) -> TaskLineage:
        from airflow_provider_oss.lineage import TaskLineage

        return TaskLineage() if result.dry_run else super().lineage(result)
