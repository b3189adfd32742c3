"""
Files made into the objects below a prefix: compared with what is there, sent, and accounted for.

The files are those of a directory, or are named one by one. Of a directory one listing of the prefix shows what is
there, and the rest is deleted if that is asked for. Nothing is remembered between attempts but the checkpoints of large
files: what OSS holds shows what is left to do. So an attempt that ends in any way is continued by the next one, and so
is yesterday's run by today's.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from typing_extensions import override

from airflow_provider_oss.cancellation import obeying
from airflow_provider_oss.engine.checkpoints import StorePool, abandon
from airflow_provider_oss.engine.many_files import FileOutcome, FileToStore, FileUploads
from airflow_provider_oss.engine.plan import make_plan
from airflow_provider_oss.engine.resume import is_of_file
from airflow_provider_oss.engine.retry import Means
from airflow_provider_oss.engine.source import FileSource
from airflow_provider_oss.engine.tree.compare import Candidate, Comparison, Found, RemoteTree
from airflow_provider_oss.engine.tree.result import FilesResult, Tally, TreeProgress, TreeResult
from airflow_provider_oss.engine.tree.walk import Files, LocalFile, LocalTree, TreeRules, TreeSource, problem
from airflow_provider_oss.engine.upload import UploadSettings
from airflow_provider_oss.exceptions import (
    OSSInvalidArgument,
    OSSInvalidSource,
    OSSPermanentError,
    OSSProviderError,
    OSSSourceMissing,
    naming_exhaustion,
    seen_elsewhere,
)
from airflow_provider_oss.failures import CallbackFailed, Failure, Failures
from airflow_provider_oss.limits import MIB
from airflow_provider_oss.model import Checkpoint, ObjectInfo, ObjectOptions, ObjectPrefix, ObjectRef
from airflow_provider_oss.ports import CheckpointStore, ProgressCallback, TreeClient
from airflow_provider_oss.shown import MOST_NAMED, Log

log = Log(__name__)

Outcome = TypeVar("Outcome")

_SHOWN_IN_LOG: Final = 1000
"""Names of each kind that a dry run logs."""


@dataclass(frozen=True, slots=True)
class FilesUpload:
    """What is to be stored, where to, and how: the arguments of ``run``."""

    source: Files
    target: ObjectPrefix
    means: Means[TreeClient]
    options: ObjectOptions = field(default_factory=ObjectOptions)
    settings: UploadSettings = field(default_factory=UploadSettings)
    stores: Sequence[CheckpointStore] = ()
    """Each holds the checkpoint of one large file; so many can be unfinished at a time."""
    progress: ProgressCallback | None = None
    """Called as ``progress(fraction, checkpoint, response)`` in the caller's thread: see TreeProgress."""
    skip_unchanged: bool = True
    """Do not send files whose object is equal: same size, and same MD5 or CRC-64."""

    def run(self) -> FilesResult:
        """
        Make one attempt; return what became of all files, of those that failed too: see FilesResult.raise_failures.

        A file that fails does not stop the others, but several in a row that fail because OSS cannot be reached do.
        Memory: about 0.5 KB for each file, and what FileUploads takes.

        Raises OSSInvalidArgument for what cannot work, and what the checkpoint stores or the callback raise.
        """
        return _obediently(self.means, _Attempt(self).run)


@dataclass(frozen=True, slots=True)
class TreeUpload(FilesUpload):
    """What is to be stored, where to, and how: the arguments of ``run``."""

    source: TreeSource
    rules: TreeRules = field(default_factory=TreeRules)

    @override
    def run(self) -> TreeResult:
        """
        Make one attempt, as FilesUpload does; return what became of all files of the directory.

        Nothing is deleted unless every file was stored or found equal.

        Raises OSSInvalidSource when the directory cannot be read, but OSSSourceElsewhere when it is missing or empty
        here and a checkpoint shows that an earlier attempt has read a file of it; OSSInvalidArgument for what cannot
        work, and what the listing, a deletion, the checkpoint stores or the callback raise.
        """
        return _obediently(self.means, _TreeAttempt(self).run)


def _obediently(means: Means[TreeClient], run: Callable[[], Outcome]) -> Outcome:
    """Make an attempt, as far as nobody asks to stop; what the callback raises is raised as it is."""
    try:
        with obeying(means.cancellation), naming_exhaustion():
            return run()
    except CallbackFailed as failed:
        failure = failed.cause
    raise failure  # here, so that nothing of ours becomes its context


class _Attempt:
    """One attempt. Files are known by their names, which are their keys below the prefix."""

    def __init__(self, upload: FilesUpload) -> None:
        self._upload = upload
        self._source = upload.source
        self._target = upload.target
        self._means = upload.means
        self._stores = StorePool(upload.stores)
        self._failures = Failures()
        self._started = self._means.clock.monotonic()
        self._tree = LocalTree()
        self._files: dict[str, LocalFile] = {}
        self._unfinished: set[ObjectRef] = set()
        self._progress = TreeProgress(Tally(), None, self._means.clock)

    def run(self) -> FilesResult:
        """Make it."""
        self._check_arguments()
        self._read()
        to_send = self._to_send()
        if not self._failures.is_hopeless:
            self._send(to_send)
        self._drop_checkpoints()
        self._progress.line()
        return FilesResult(**self._sums(self._progress.sent))

    def _check_arguments(self) -> None:
        make_plan(0, self._upload.settings.part_size_bytes)  # raises what it would raise for each file

    def _idle(self) -> None:
        self._means.cancellation.check()
        self._progress.line_if_due()

    # What is there

    def _read(self) -> None:
        self._tree = self._source.read(self._means.cancellation.check)
        problems = list(self._tree.problems)
        for file in self._tree.files:
            try:
                self._target.ref(file.relative)
            except OSSInvalidArgument as error:
                problems.append(self._problem(file, error))
            else:
                self._files[file.relative] = file
        size_bytes = sum(file.size_bytes for file in self._tree.files)
        total = Tally(len(self._files) + len(problems), size_bytes)
        self._progress = TreeProgress(total, self._upload.progress, self._means.clock)
        for failure in problems:
            self._note_failure(failure)
        log.log(
            logging.INFO if total.count else logging.WARNING,
            "%s: %d files, %.1f MiB",
            *(self._source, total.count, total.size_bytes / MIB),
        )

    def _problem(self, file: LocalFile, error: OSSProviderError | OSError) -> Failure:
        """Return the failure of a file: one that is missing is looked for again by every attempt."""
        return Failure(file.relative, error, not isinstance(error, OSSPermanentError), file.size_bytes)

    # Comparing

    def _to_send(self) -> list[LocalFile]:
        unchanged = self._find_unchanged() if self._upload.skip_unchanged else set()
        return [file for relative, file in self._files.items() if relative not in unchanged]

    def _find_unchanged(self) -> set[str]:
        comparison = Comparison(self._means.client, self._ask_again, self._upload.settings.parallel, self._idle)
        unchanged = set()
        with closing(comparison.run(self._candidates())) as outcomes:
            for outcome in outcomes:
                file = outcome.candidate.file
                if outcome.error is not None:
                    self._note_failure(self._problem(file, outcome.error))
                    del self._files[file.relative]
                else:
                    self._failures.note_success()
                if outcome.is_equal:
                    unchanged.add(file.relative)
                    self._progress.file_skipped(file.size_bytes)
                if self._failures.is_hopeless:
                    break
        return unchanged

    def _candidates(self) -> Iterator[Candidate]:
        """Yield all files: what is there of them has not been listed."""
        return (self._candidate(name, "") for name in list(self._files))

    def _candidate(self, name: str, etag: str) -> Candidate:
        source = FileSource(self._source.path(name), self._source.no_links_below)
        return Candidate(source, self._files[name], self._target.ref(name), etag)

    def _ask_again(self, ref: ObjectRef) -> ObjectInfo:
        return self._means.call(self._means.client.head_object, ref)

    # Sending

    def _send(self, files: Sequence[LocalFile]) -> None:
        upload = self._upload
        uploads = FileUploads(
            self._means, upload.options, upload.settings, stores=self._stores, part_done=self._part_done
        )
        no_links = self._source.no_links_below
        named = (
            FileToStore(self._source.path(one.relative), self._target.ref(one.relative), no_links) for one in files
        )
        with closing(uploads.run(named)) as outcomes:
            for outcome in outcomes:
                self._note_outcome(outcome)
                if self._failures.is_hopeless:
                    break
                self._progress.line_if_due()

    def _note_outcome(self, outcome: FileOutcome) -> None:
        file = self._files[self._target.below(outcome.file.ref)]
        if outcome.result is not None:
            self._failures.note_success()
            self._progress.file_sent(file.size_bytes, outcome.result)
        elif outcome.error is not None:
            self._note_failure(self._problem(file, outcome.error))

    def _note_failure(self, failure: Failure) -> None:
        self._failures.add(failure)
        self._progress.file_failed(failure.size_bytes)
        if failure.name in self._files:
            self._unfinished.add(self._target.ref(failure.name))

    def _part_done(self, file: FileToStore, fraction: float, checkpoint: Checkpoint | None, response: Any) -> None:
        size_bytes = self._files[self._target.below(file.ref)].size_bytes
        self._progress.part_done(size_bytes, fraction, checkpoint, response)

    def _drop_checkpoints(self) -> None:
        """
        Abort the uploads of files that are not to be sent any more: no later attempt would come back to them.

        Not when a part of the tree could not be read, or was not tried: they may be of a file in there.
        """
        if self._tree.problems or self._failures.is_hopeless:
            return
        for store, checkpoint in self._stores.left_behind(self._unfinished):
            log.info("%s: nothing is left to send, aborting upload %s", checkpoint.ref, checkpoint.upload_id)
            abandon(store, self._means)

    # Reporting

    def _sums(self, sent: Tally) -> dict[str, Any]:
        """Return what a FilesResult has."""
        progress, total = self._progress, self._progress.total
        failed = Tally(self._failures.count, self._failures.size_bytes)
        ended = (sent, progress.skipped, failed)
        return {
            "bucket": self._target.bucket,
            "prefix": self._target.prefix,
            "uri": self._target.uri,
            "files": total,
            "sent": sent,
            "skipped": progress.skipped,
            "failed": failed,
            "not_tried": Tally(
                total.count - sum(one.count for one in ended),
                total.size_bytes - sum(one.size_bytes for one in ended),
            ),
            "bytes_sent": progress.bytes_sent,
            "bytes_verified": progress.bytes_verified,
            "elapsed_seconds": round(self._means.clock.monotonic() - self._started, 3),
            "problems": tuple(self._failures.first),
            "is_permanent": self._failures.is_permanent,
        }


class _TreeAttempt(_Attempt):
    """One attempt with a directory: the names of files are their paths below it."""

    def __init__(self, upload: TreeUpload) -> None:
        super().__init__(upload)
        self._directory = upload.source
        self._rules = upload.rules
        self._remote = RemoteTree(upload.means.client, upload.means.call, upload.target, self._idle)
        self._found = Found()

    @override
    def run(self) -> TreeResult:
        self._check_arguments()
        self._read()
        self._check_meant()
        if self._upload.skip_unchanged or self._rules.delete_removed:
            self._found = self._remote.find(self._files, self._directory)
        self._check_surplus()
        to_send = self._to_send()
        if self._rules.dry_run:
            return self._shown(to_send)
        if not self._failures.is_hopeless:
            self._send(to_send)
        self._drop_checkpoints()
        deleted = self._delete()
        self._progress.line()
        return self._result(self._progress.sent, deleted)

    @override
    def _check_arguments(self) -> None:
        super()._check_arguments()
        if self._rules.delete_removed and not self._target.prefix:
            raise OSSInvalidArgument(
                f"delete_removed=True with the whole bucket {self._target.bucket!r} as its target: give key a prefix"
            )

    # What is there

    @override
    def _read(self) -> None:
        try:
            super()._read()
        except OSSSourceMissing as missing:
            if self._was_read_before():
                raise seen_elsewhere(f"directory={self._directory.directory!r}") from missing
            raise

    @override
    def _problem(self, file: LocalFile, error: OSSProviderError | OSError) -> Failure:
        return problem(file.relative, error, file.size_bytes)

    def _was_read_before(self) -> bool:
        """Whether a checkpoint shows that an earlier attempt has read a file of the directory."""
        return any(
            self._target.has(one.ref) and is_of_file(one, one.ref, self._source.path(self._target.below(one.ref)))
            for one in self._stores.held
        )

    @property
    def _may_not_be_empty(self) -> bool:
        """Whether the directory has no file that is meant, and nobody said that this may be."""
        return not (self._files or self._failures.count or self._rules.allow_empty)

    def _check_meant(self) -> None:
        """
        Raise OSSInvalidSource when the globs mean nothing of what is there. An empty directory is no error.

        But OSSSourceElsewhere when it was not empty before: so looks the place of a volume that is not mounted here.
        """
        source = self._directory
        if not self._may_not_be_empty or self._tree.left_out:
            return
        if self._was_read_before():
            raise seen_elsewhere(f"what was in directory={source.directory!r}")
        if source.selection.is_everything:
            return
        with os.scandir(source.directory) as entries:
            has_others = any(entries)
        if has_others or source.selection.names_files:
            raise OSSInvalidSource(
                f"directory={source.directory!r} has no file that include and exclude mean: check the globs, which are "
                "compared with whole paths below the directory ('**/*.csv' is at any depth, '*.csv' in the directory "
                "itself), or set allow_empty=True if that may be"
            )

    def _check_surplus(self) -> None:
        """Raise OSSInvalidArgument rather than empty the prefix because the directory is empty."""
        if self._rules.delete_removed and self._found.surplus and self._may_not_be_empty:
            raise OSSInvalidArgument(
                f"directory={self._directory.directory!r} has no file that include and exclude mean, so "
                f"delete_removed=True would delete all {len(self._found.surplus)} objects below {self._target}: set "
                "allow_empty=True if that is meant"
            )

    @override
    def _candidates(self) -> Iterator[Candidate]:
        return (self._candidate(relative, etag) for relative, etag in self._found.same_size.items())

    # Deleting

    def _delete(self) -> Tally:
        """Delete what the directory does not have, if that is asked for and all that it has is stored."""
        surplus = self._to_delete()
        deleted = Tally(len(surplus), sum(surplus.values()))
        self._remote.delete(surplus)
        return deleted

    def _to_delete(self) -> dict[str, int]:
        """Return the objects to delete, but for those whose file has come up since the directory was read."""
        if not self._rules.delete_removed or not self._found.surplus:
            return {}
        if self._failures.count:
            log.warning("Nothing is deleted below %s: not every file could be stored", self._target)
            return {}
        return {
            name: size_bytes
            for name, size_bytes in self._found.surplus.items()
            if not (_may_be_of_a_file(name) and os.path.lexists(self._source.path(name)))
        }

    # Reporting

    def _shown(self, to_send: Sequence[LocalFile]) -> TreeResult:
        """Report what would be done."""
        surplus = self._to_delete()
        for names, action in (([file.relative for file in to_send], "sent"), (list(surplus), "deleted")):
            for name in names[:_SHOWN_IN_LOG]:
                log.info("Would be %s: %s", action, name)
            if len(names) > _SHOWN_IN_LOG:
                log.info("Would be %s: %d more", action, len(names) - _SHOWN_IN_LOG)
        sent = Tally(len(to_send), sum(file.size_bytes for file in to_send))
        return self._result(
            sent,
            Tally(len(surplus), sum(surplus.values())),
            would_send=tuple(file.relative for file in to_send[:MOST_NAMED]),
            would_delete=tuple(list(surplus)[:MOST_NAMED]),
        )

    def _result(self, sent: Tally, deleted: Tally, **would: Any) -> TreeResult:
        return TreeResult(
            **self._sums(sent),
            directory=self._directory.directory,
            dry_run=self._rules.dry_run,
            deleted=deleted,
            left_out=self._tree.left_out,
            **would,
        )


def _may_be_of_a_file(name: str) -> bool:
    """Whether a file below the directory has this name when it is stored: others lead elsewhere, or nowhere."""
    return not {"", ".", ".."}.intersection(name.split("/")) and "\0" not in name
