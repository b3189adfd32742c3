"""
Files made into the objects below a prefix: compared with what is there, sent, and accounted for.

The files are those of a directory, or are named one by one. Of a directory one listing of the prefix shows what is
there, and the rest is deleted if that is asked for. Nothing is remembered between attempts but the checkpoints of large
files: what OSS holds shows what is left to do. So an attempt that ends in any way is continued by the next one, and so
is yesterday's run by today's.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from typing_extensions import override

from airflow_provider_oss.cancellation import obeying
from airflow_provider_oss.engine.checkpoints import StorePool, abandon
from airflow_provider_oss.engine.many_files import FileOutcome, FileToStore, FileUploads
from airflow_provider_oss.engine.plan import make_plan
from airflow_provider_oss.engine.progress import amount, watched
from airflow_provider_oss.engine.resume import is_of_file
from airflow_provider_oss.engine.retry import Means
from airflow_provider_oss.engine.source import FileSource
from airflow_provider_oss.engine.tree.compare import Candidate, Comparison
from airflow_provider_oss.engine.tree.remote import RemoteTree, Removal, Surplus, Told, check_prefix, remove_again
from airflow_provider_oss.engine.tree.result import FilesResult, Tally, TreeProgress, TreeResult
from airflow_provider_oss.engine.tree.shards import MOST_AT_ONCE, TreePieces
from airflow_provider_oss.engine.tree.walk import (
    Files,
    LocalFile,
    LocalTree,
    PathRange,
    TreeRules,
    TreeSource,
    check_meant,
    not_here,
    problem,
)
from airflow_provider_oss.engine.upload import UploadSettings
from airflow_provider_oss.exceptions import (
    OSSInvalidArgument,
    OSSPermanentError,
    OSSProviderError,
    OSSSourceMissing,
    naming_exhaustion,
    seen_elsewhere,
)
from airflow_provider_oss.failures import CallbackFailed, Failure, Failures
from airflow_provider_oss.model import Checkpoint, ObjectInfo, ObjectOptions, ObjectPrefix, ObjectRef, TransferState
from airflow_provider_oss.ports import CheckpointStore, ProgressCallback, TreeClient
from airflow_provider_oss.shown import Log

log = Log(__name__)

Outcome_co = TypeVar("Outcome_co", covariant=True)
Source = TypeVar("Source", bound=Files)


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
        return _obediently(self.means, _Attempt(self, self.source))


@dataclass(frozen=True, slots=True)
class TreeUpload(FilesUpload):
    """What is to be stored, where to, and how: the arguments of ``run``."""

    source: TreeSource
    rules: TreeRules = field(default_factory=TreeRules)
    most_at_once: int = MOST_AT_ONCE
    """Files in memory at a time."""

    @override
    def run(self) -> TreeResult:
        """
        Make one attempt, as FilesUpload does; return what became of all files of the directory.

        Nothing is deleted unless every file was stored or found equal. Memory: 0.2 to 0.7 KB for each file, but of
        ``most_at_once`` at most: a larger tree is cut into shards, which are worked at one after the other.

        Raises OSSInvalidSource when the directory cannot be read, but OSSSourceElsewhere when it is missing or empty
        here and a checkpoint, or the plan that it is a shard of, shows that a file of it has been seen;
        OSSInvalidArgument for what cannot work, and what the listing, a deletion, the checkpoint stores or the callback
        raise.
        """
        return _obediently(self.means, _TreeAttempt(self))


class _Running(Protocol[Outcome_co]):
    """An attempt."""

    def run(self) -> Outcome_co:
        """Make it."""

    def state(self) -> TransferState:
        """Return how far it is."""


def _obediently(means: Means[TreeClient], attempt: _Running[Outcome_co]) -> Outcome_co:
    """Make an attempt, as far as nobody asks to stop; what the callback raises is raised as it is."""
    try:
        with obeying(means.cancellation), naming_exhaustion(), watched(means.watcher, attempt.state):
            return attempt.run()
    except CallbackFailed as failed:
        failure = failed.cause
    raise failure  # here, so that nothing of ours becomes its context


class _Attempt(Generic[Source]):
    """One attempt. Files are known by their names, which are their keys below the prefix."""

    def __init__(self, upload: FilesUpload, source: Source) -> None:
        self._upload = upload
        self._source = source
        self._target = upload.target
        self._means = upload.means
        self._stores = StorePool(upload.stores)
        self._failures = Failures()
        self._started = self._means.clock.monotonic()
        self._comparison = Comparison(upload.means.client, self._ask_again, upload.settings.parallel, self._idle)
        self._progress = TreeProgress(Tally(), None, self._means.clock)
        self._is_read = False
        self._unfinished: set[ObjectRef] = set()
        self._seen = Tally()
        self._is_all_readable = True
        self._files: dict[str, LocalFile] = {}
        """Those of the piece that is worked at."""

    def state(self) -> TransferState:
        """Return how far it is."""
        return self._progress.state(self._target.uri, str(self._source), is_total_known=self._is_read)

    def run(self) -> FilesResult:
        """Make it."""
        self._work_at_all()
        self._drop_checkpoints()
        self._progress.line()
        return FilesResult(**self._sums(self._progress.sent))

    def _work_at_all(self) -> None:
        """Go through the files, piece by piece, as long as there is hope."""
        self._check_arguments()
        total, pieces = self._read()
        self._progress = TreeProgress(total, self._upload.progress, self._means.clock, self._means.log_intervals)
        self._is_read = True
        log.log(
            logging.INFO if total.count else logging.WARNING,
            "Storing %s below %s: %d files, %s",
            *(self._source, self._target, total.count, amount(total.size_bytes)),
        )
        for source, tree in pieces:
            self._take(source, tree)
            self._work_at(source)
            if self._failures.is_hopeless:
                break
        else:
            self._progress.total = self._seen

    def _work_at(self, source: Source) -> None:  # noqa: ARG002 - a piece of a directory is listed
        to_send = self._to_send()
        if not self._failures.is_hopeless:
            self._send(to_send)

    def _check_arguments(self) -> None:
        make_plan(0, self._upload.settings.part_size_bytes)  # raises what it would raise for each file

    def _idle(self) -> None:
        self._means.cancellation.check()
        self._tick()

    def _tick(self) -> None:
        self._progress.line_if_due()
        self._means.watcher.tick()

    # What is there

    def _read(self) -> tuple[Tally, Iterable[tuple[Source, LocalTree]]]:
        """Return how many files there are, and all of them, piece by piece."""
        tree = self._source.read(self._means.cancellation.check)
        return Tally(len(tree.files) + len(tree.problems), tree.size_bytes), [(self._source, tree)]

    def _take(self, source: Source, tree: LocalTree) -> None:  # noqa: ARG002 - as in _work_at
        """Begin with a piece."""
        if self._seen.count:
            self._unfinished &= {checkpoint.ref for checkpoint in self._stores.held}
        problems = list(tree.problems)
        self._files = {}
        for file in tree.files:
            try:
                self._target.ref(file.relative)
            except OSSInvalidArgument as error:
                problems.append(self._problem(file, error))
            else:
                self._files[file.relative] = file
        self._seen += Tally(len(self._files) + len(problems), tree.size_bytes)
        self._is_all_readable = self._is_all_readable and not tree.problems
        for failure in problems:
            self._note_failure(failure)

    def _problem(self, file: LocalFile, error: OSSProviderError | OSError) -> Failure:
        """Return the failure of a file: one that is missing is looked for again by every attempt."""
        return Failure(file.relative, error, not isinstance(error, OSSPermanentError), file.size_bytes)

    # Comparing

    def _to_send(self) -> list[LocalFile]:
        unchanged = self._find_unchanged() if self._upload.skip_unchanged else set()
        return [file for relative, file in self._files.items() if relative not in unchanged]

    def _find_unchanged(self) -> set[str]:
        unchanged = set()
        with closing(self._comparison.run(self._candidates())) as outcomes:
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
                self._tick()

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
        if not self._is_all_readable or self._failures.is_hopeless:
            return
        for store, checkpoint in self._stores.left_behind(self._unfinished):
            log.info("%s: nothing is left to send, aborting upload %s", checkpoint.ref, checkpoint.upload_id)
            abandon(store, self._means)

    # Reporting

    def _sums(self, sent: Tally) -> dict[str, Any]:
        """Return what a FilesResult has."""
        progress, total = self._progress, self._progress.total
        failed = Tally(self._failures.count, self._failures.size_bytes)
        ended = sent + progress.skipped + failed
        return {
            "bucket": self._target.bucket,
            "prefix": self._target.prefix,
            "uri": self._target.uri,
            "files": total,
            "sent": sent,
            "skipped": progress.skipped,
            "failed": failed,
            "not_tried": Tally(max(0, total.count - ended.count), max(0, total.size_bytes - ended.size_bytes)),
            "bytes_sent": progress.bytes_sent,
            "bytes_verified": progress.bytes_verified,
            "elapsed_seconds": round(self._means.clock.monotonic() - self._started, 3),
            "problems": tuple(self._failures.first),
            "is_permanent": self._failures.is_permanent,
        }


class _TreeAttempt(_Attempt[TreeSource]):
    """One attempt with a directory: the names of files are their paths below it."""

    def __init__(self, upload: TreeUpload) -> None:
        super().__init__(upload, upload.source)
        self._most_at_once = upload.most_at_once
        self._rules = upload.rules
        self._remote = RemoteTree(upload.means.client, upload.means.call, upload.target, self._idle)
        self._surplus = Surplus(upload.most_at_once)
        self._left_out = 0
        self._also_of_the_next: set[str] = set()
        """Directories that could not be read, and have files in the next piece too: one failure is enough."""
        self._would_send = Told("sent")
        self._same_size: dict[str, str] = {}
        """Of the piece that is worked at."""

    @override
    def run(self) -> TreeResult:
        self._work_at_all()
        would_send = self._would_send.end()
        if not self._rules.dry_run:
            self._drop_checkpoints()
        removal = self._delete()
        if not self._rules.dry_run:
            self._progress.line()
        return self._result(removal, would_send)

    @override
    def _check_arguments(self) -> None:
        super()._check_arguments()
        if self._rules.delete_removed:
            check_prefix(self._target)
            if self._source.shard is not None:
                raise OSSInvalidArgument(
                    "delete_removed=True with a shard: what is gone is deleted when all shards are stored, by "
                    "OSSFinishDirectoryOperator or the hook's delete_removed"
                )

    # What is there

    @override
    def _read(self) -> tuple[Tally, TreePieces]:
        try:
            self._pieces = TreePieces(self._source, self._means.cancellation.check, self._most_at_once)
        except OSSSourceMissing as missing:
            if self._source.shard is not None or self._was_read_before():
                raise seen_elsewhere(f"directory={self._source.directory!r}") from missing
            raise
        return self._pieces.total, self._pieces

    @override
    def _take(self, source: TreeSource, tree: LocalTree) -> None:
        rest = PathRange(source.between.until)
        known, self._also_of_the_next = (
            self._also_of_the_next,
            {one.name for one in tree.problems if rest.may_be_below(one.name)},
        )
        self._left_out += tree.left_out
        tree.problems = [one for one in tree.problems if one.name not in known]
        super()._take(source, tree)

    @override
    def _work_at(self, source: TreeSource) -> None:
        self._check_meant()
        self._same_size = {}
        if self._upload.skip_unchanged or self._rules.delete_removed:
            self._same_size = self._remote.find(self._files, source, self._surplus)
        self._check_surplus()
        if not self._rules.dry_run:
            super()._work_at(source)
            return
        for file in self._to_send():
            self._would_send.add(file.relative, file.size_bytes)

    @override
    def _problem(self, file: LocalFile, error: OSSProviderError | OSError) -> Failure:
        return problem(file.relative, error, file.size_bytes)

    def _was_read_before(self) -> bool:
        """Whether a checkpoint, or a plan, shows that a file of the directory has been seen."""
        return self._source.has_files or any(
            self._target.has(one.ref) and is_of_file(one, one.ref, self._source.path(self._target.below(one.ref)))
            for one in self._stores.held
        )

    @property
    def _may_not_be_empty(self) -> bool:
        """Whether the directory has no file that is meant, and nobody said that this may be."""
        return not (self._seen.count or self._rules.allow_empty)

    def _check_meant(self) -> None:
        """
        Raise OSSInvalidSource when the globs mean nothing of what is there. An empty directory is no error, or shard.

        But OSSSourceElsewhere when it was not empty before: so looks the place of a volume that is not mounted here.
        A shard that was planned with files has one, unless all were removed since: then it has to be planned again.
        """
        source = self._source
        if self._seen.count or self._left_out:
            return
        if source.has_files or (not self._rules.allow_empty and self._was_read_before()):
            raise not_here(source)
        if source.shard is None and not self._rules.allow_empty:
            check_meant(source)

    def _check_surplus(self) -> None:
        """Raise OSSInvalidArgument rather than empty the prefix because the directory is empty."""
        count = self._surplus.tally.count
        if self._rules.delete_removed and count and self._may_not_be_empty:
            raise OSSInvalidArgument(
                f"directory={self._source.directory!r} has no file that include and exclude mean, so "
                f"delete_removed=True would delete all {count} objects below {self._target}: set "
                "allow_empty=True if that is meant"
            )

    @override
    def _candidates(self) -> Iterator[Candidate]:
        return (self._candidate(relative, etag) for relative, etag in self._same_size.items())

    # Deleting

    def _delete(self) -> Removal:
        """Delete what the directory does not have, if that is asked for and all that it has is stored."""
        removal = Removal(self._remote, self._source.directory, dry_run=self._rules.dry_run)
        if not self._rules.delete_removed or not self._surplus.tally.count:
            return removal
        if self._failures.count:
            log.warning("Nothing is deleted below %s: not every file could be stored", self._target)
        elif self._surplus.names is None:
            remove_again(self._remote, removal, self._pieces)
        else:
            removal.remove(self._surplus.names.items())
        return removal

    # Reporting

    def _result(self, removal: Removal, would_send: tuple[str, ...]) -> TreeResult:
        shard = self._source.shard
        return TreeResult(
            **self._sums(self._would_send.tally if self._rules.dry_run else self._progress.sent),
            directory=self._source.directory,
            dry_run=self._rules.dry_run,
            deleted=removal.deleted,
            left_out=self._left_out,
            would_send=would_send,
            would_delete=removal.end(),
            shard=None if shard is None else shard.ends,
        )
