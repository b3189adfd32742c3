"""Files of a worker that are named one by one, to OSS."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from typing_extensions import override

from airflow_provider_oss.operators.resumable import OSSFilesBaseOperator

if TYPE_CHECKING:
    from typing import Unpack

    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_oss.engine.tree.result import FilesResult
    from airflow_provider_oss.operators import ResumableKeywords


class OSSUploadFilesOperator(OSSFilesBaseOperator):
    """
    Stores files that are named one by one under a prefix; what OSS holds already is not sent.

    For lists that are longer than a mapped task may be: batches of 1,000, and one task instance for each. HeadObject
    says for every file what OSS holds; where the size is equal, the CRC-64 of the bytes decides. So a retried attempt
    sends what is missing. Small files are pipelined, ``parallel`` at a time; those of several parts are uploaded one
    after the other, resumably. No files at all are no error.

    A file that fails is reported, the others are stored, and then the task fails: at once when no retry can mend any of
    the failures. Only when three files in a row cannot be sent because OSS cannot be reached the rest is left to the
    next attempt.

    Returns a dict: ``files``, ``sent``, ``skipped``, ``failed`` (numbers, with ``size``, ``sent_size``, ... in bytes),
    ``failures`` (the first ten, with ``file``, its name, and ``error``), ``not_tried``, ``bytes_sent``,
    ``bytes_verified``, ``elapsed_seconds``, ``bucket, prefix, uri``. It is in XCom also when files failed. For the
    other arguments see OSSResumableBaseOperator and OSSUploadBaseOperator; they hold for every file.

    :param files: the path of each file on the worker, by its name below the prefix: ``{"2026/a.csv": "/data/a.csv"}``;
        or a list of paths, whose last components are the names. Two files with one name are an error before anything is
        sent. Templated.
    :param key: the prefix, or ``oss://bucket/prefix``; it gets a slash at its end if it has none. "" is the whole
        bucket. Templated.
    :param skip_unchanged: False sends every file, and asks nothing before.
    :param progress: called as ``progress(fraction, checkpoint, response)`` after every file and every part of a large
        one: the fraction of all bytes that is done; an UploadResult, a part, or None for what OSS held already.
    """

    template_fields: Sequence[str] = (*OSSFilesBaseOperator.template_fields, "files")
    transfer_kind = "files"

    files: Mapping[str, str | os.PathLike[str]] | Sequence[str | os.PathLike[str]]
    skip_unchanged: bool

    def __init__(
        self,
        *,
        files: Mapping[str, str | os.PathLike[str] | XComArg] | Sequence[str | os.PathLike[str] | XComArg] | XComArg,
        skip_unchanged: bool = True,
        **kwargs: Unpack[ResumableKeywords],
    ) -> None:
        super().__init__(**kwargs)
        self._keep(files=files, skip_unchanged=skip_unchanged)

    @override
    def work(self, context: Context) -> FilesResult:
        return self.hook.upload_batch(
            self.key,
            self.files,
            self.bucket_name,
            skip_unchanged=self.skip_unchanged,
            **self.sending_arguments(context),
        )

    @override
    def sources(self) -> Sequence[str | os.PathLike[str]]:
        return list(self.files.values() if isinstance(self.files, Mapping) else self.files)
