"""
A local tree made into the objects below a prefix: read, compared, sent, and if asked for the rest deleted.

Nothing is remembered between attempts but the checkpoints of large files: what OSS holds tells what is left to do. So
an attempt that ends in any way is continued by the next one, and so is yesterday's run by today's.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from airflow_provider_oss.exceptions import (
    OSSInvalidArgument,
)
from airflow_provider_oss.limits import MIB
from airflow_provider_oss.model import Checkpoint, ObjectOptions, ObjectPrefix, ObjectRef
from airflow_provider_oss.ports import CheckpointStore, Clock, ProgressCallback, TreeClient
from airflow_provider_oss.transfer.cancellation import Cancellation
from airflow_provider_oss.transfer.clock import SystemClock
from airflow_provider_oss.transfer.engine import UploadSettings
from airflow_provider_oss.transfer.many_files import FileOutcome, FileToStore, FileUploads
from airflow_provider_oss.transfer.places import CheckpointPlaces
from airflow_provider_oss.transfer.plan import make_plan
from airflow_provider_oss.transfer.retry import RetryingClient, cannot_renew, make_retrying, renewing
from airflow_provider_oss.transfer.tree.compare import Candidate, Comparison
from airflow_provider_oss.transfer.tree.failures import Failures
from airflow_provider_oss.transfer.tree.progress import CallbackFailed, TreeProgress
from airflow_provider_oss.transfer.tree.remote import Found, RemoteTree
from airflow_provider_oss.transfer.tree.result import SHOWN, Tally, TreeResult, printable
from airflow_provider_oss.transfer.tree.rules import TreeRules, TreeSource
from airflow_provider_oss.transfer.tree.walk import LocalFile, LocalTree, Problem, read_tree
from airflow_provider_oss.transfer.upload_ids import abandon

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

_SHOWN_IN_LOG: Final = 1000
"""Names of each kind that a dry run logs."""


@dataclass(frozen=True, slots=True)
class TreeUpload:
    """What is to be stored, where to, and how: the arguments of ``run``."""

    source: TreeSource
    target: ObjectPrefix
    client: TreeClient
    rules: TreeRules = field(default_factory=TreeRules)
    options: ObjectOptions = field(default_factory=ObjectOptions)
    settings: UploadSettings = field(default_factory=UploadSettings)
    stores: Sequence[CheckpointStore] = ()
    """Each holds the checkpoint of one large file; so many can be unfinished at a time."""
    progress: ProgressCallback | None = None
    """Called as ``progress(fraction, checkpoint, response)`` in the caller's thread: see TreeProgress."""
    renew_credentials: Callable[[], bool] = cannot_renew
    cancellation: Cancellation = field(default_factory=Cancellation)
    clock: Clock = field(default_factory=SystemClock)

    def run(self) -> TreeResult:
        """
        Make one attempt; return what became of all files, of those that failed too: see TreeResult.raise_failures.

        A file that fails does not stop the others, but several in a row that fail because OSS cannot be reached do.
        Nothing is deleted unless every file was stored or found equal. Memory: about 0.5 KB for each file, and
        what FileUploads takes.

        Raises OSSInvalidSource when the directory cannot be read, OSSInvalidArgument for what cannot work, and what the
        listing, a deletion, the checkpoint stores or the callback raise.
        """
        try:
            return _Attempt(self).run()
        except CallbackFailed as failed:
            failure = failed.cause
        raise failure  # here, so that nothing of ours becomes its context


class _Attempt:
    """One attempt. Files are known by their path below the directory, which is their key below the prefix."""

    def __init__(self, upload: TreeUpload) -> None:
        self._upload = upload
        self._rules = upload.rules
        self._target = upload.target
        self._retrying = make_retrying(upload.settings.retry, threading.Event())
        self._client = RetryingClient(upload.client, self._retrying)
        self._places = CheckpointPlaces(upload.stores)
        self._failures = Failures()
        self._started = upload.clock.monotonic()
        self._tree = LocalTree()
        self._files: dict[str, LocalFile] = {}
        self._unfinished: set[ObjectRef] = set()
        self._progress = TreeProgress(Tally(), None, upload.clock)
        self._remote = RemoteTree(upload.client, self._retrying, upload.target, self._idle)
        self._found = Found()

    def run(self) -> TreeResult:
        self._check_arguments()
        self._read()
        if self._rules.skip_unchanged or self._rules.delete_removed:
            self._found = self._renewing(lambda: self._remote.find(self._files, self._upload.source))
        self._check_surplus()
        unchanged = self._find_unchanged() if self._rules.skip_unchanged else set()
        to_send = [file for relative, file in self._files.items() if relative not in unchanged]
        if self._rules.dry_run:
            return self._shown(to_send)
        if not self._failures.is_hopeless:
            self._send(to_send)
        self._drop_checkpoints()
        deleted = self._delete()
        self._progress.line()
        return self._result(self._progress.sent, deleted)

    def _check_arguments(self) -> None:
        make_plan(0, self._upload.settings.part_size_bytes)  # raises what it would raise for each file
        if self._rules.delete_removed and not self._target.prefix:
            raise OSSInvalidArgument(
                f"delete_removed=True with the whole bucket {self._target.bucket!r} as its target: give key a prefix"
            )

    def _idle(self) -> None:
        self._upload.cancellation.check()
        self._progress.line_if_due()

    def _renewing(self, work: Callable[[], Answer]) -> Answer:
        return renewing(self._upload.renew_credentials, self._target, work)

    # What is there

    def _read(self) -> None:
        source = self._upload.source
        self._tree = read_tree(source.directory, source.selection, source.symlinks, self._upload.cancellation.check)
        problems = list(self._tree.problems)
        for file in self._tree.files:
            try:
                self._target.ref(file.relative)
            except OSSInvalidArgument as error:
                problems.append(Problem(file.relative, error, file.size_bytes))
            else:
                self._files[file.relative] = file
        size_bytes = sum(file.size_bytes for file in self._tree.files)
        total = Tally(len(self._files) + len(problems), size_bytes)
        self._progress = TreeProgress(total, self._upload.progress, self._upload.clock)
        for problem in problems:
            self._note_failure(problem)
        log.log(
            logging.INFO if total.count else logging.WARNING,
            "%s: %d files, %.1f MiB",
            *(printable(source.directory), total.count, total.size_bytes / MIB),
        )

    def _check_surplus(self) -> None:
        """Raise OSSInvalidArgument rather than empty the prefix because the directory is empty."""
        is_empty = not self._files and not self._failures.tally.count
        if self._rules.delete_removed and self._found.surplus and is_empty and not self._rules.allow_empty:
            raise OSSInvalidArgument(
                f"directory={self._upload.source.directory!r} has no file that include and exclude mean, so "
                f"delete_removed=True would delete all {len(self._found.surplus)} objects below {self._target}: set "
                "allow_empty=True if that is meant"
            )

    # Comparing

    def _find_unchanged(self) -> set[str]:
        comparison = Comparison(self._upload.client, self._ask_again, self._upload.settings.parallel, self._idle)
        unchanged = set()
        with closing(comparison.run(self._candidates())) as outcomes:
            for outcome in outcomes:
                file = outcome.candidate.file
                if outcome.error is not None:
                    self._note_failure(Problem(file.relative, outcome.error, file.size_bytes))
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
        for relative, etag in self._found.same_size.items():
            file = self._files[relative]
            yield Candidate(file, self._path(relative), self._target.ref(relative), etag)

    def _ask_again(self, ref: ObjectRef) -> Any:
        return self._renewing(lambda: self._client.head_object(ref))

    def _path(self, relative: str) -> str:
        return os.path.join(self._upload.source.directory, relative)  # noqa: PTH118 - thousands of paths, as text

    # Sending

    def _send(self, files: Sequence[LocalFile]) -> None:
        upload = self._upload
        uploads = FileUploads(
            upload.client,
            upload.options,
            upload.settings,
            places=self._places,
            part_done=self._part_done,
            renew_credentials=upload.renew_credentials,
            cancellation=upload.cancellation,
            clock=upload.clock,
        )
        named = (FileToStore(self._path(one.relative), self._target.ref(one.relative)) for one in files)
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
            self._note_failure(Problem(file.relative, outcome.error, file.size_bytes))

    def _note_failure(self, problem: Problem) -> None:
        self._failures.add(problem)
        self._progress.file_failed(problem.size_bytes)
        if problem.relative in self._files:
            self._unfinished.add(self._target.ref(problem.relative))

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
        for store, checkpoint in self._places.left_behind(self._unfinished):
            log.info("%s: nothing is left to send, aborting upload %s", checkpoint.ref, checkpoint.upload_id)
            abandon(store, self._client, self._upload.clock)

    # Deleting

    def _delete(self) -> Tally:
        """Delete what the directory does not have, if that is asked for and all that it has is stored."""
        surplus = self._to_delete()
        deleted = Tally(len(surplus), sum(surplus.values()))
        self._renewing(lambda: self._remote.delete(surplus))
        return deleted

    def _to_delete(self) -> dict[str, int]:
        """Return the objects to delete, but for those whose file has come up since the directory was read."""
        if not self._rules.delete_removed or not self._found.surplus:
            return {}
        if self._failures.tally.count:
            log.warning("Nothing is deleted below %s: not every file could be stored", self._target)
            return {}
        return {
            name: size_bytes
            for name, size_bytes in self._found.surplus.items()
            if not os.path.lexists(self._path(name))
        }

    # Telling

    def _shown(self, to_send: Sequence[LocalFile]) -> TreeResult:
        """Tell what would be done."""
        surplus = self._to_delete()
        for names, action in (([file.relative for file in to_send], "sent"), (list(surplus), "deleted")):
            for name in names[:_SHOWN_IN_LOG]:
                log.info("Would be %s: %s", action, printable(name))
            if len(names) > _SHOWN_IN_LOG:
                log.info("Would be %s: %d more", action, len(names) - _SHOWN_IN_LOG)
        sent = Tally(len(to_send), sum(file.size_bytes for file in to_send))
        return self._result(
            sent,
            Tally(len(surplus), sum(surplus.values())),
            would_send=tuple(file.relative for file in to_send[:SHOWN]),
            would_delete=tuple(list(surplus)[:SHOWN]),
        )

    def _result(
        self, sent: Tally, deleted: Tally, *, would_send: tuple[str, ...] = (), would_delete: tuple[str, ...] = ()
    ) -> TreeResult:
        progress, total = self._progress, self._progress.total
        ended = (sent, progress.skipped, self._failures.tally)
        return TreeResult(
            directory=self._upload.source.directory,
            bucket=self._target.bucket,
            prefix=self._target.prefix,
            uri=self._target.uri,
            dry_run=self._rules.dry_run,
            files=total,
            sent=sent,
            skipped=progress.skipped,
            deleted=deleted,
            failed=self._failures.tally,
            not_tried=Tally(
                total.count - sum(one.count for one in ended),
                total.size_bytes - sum(one.size_bytes for one in ended),
            ),
            left_out=self._tree.left_out,
            bytes_sent=progress.bytes_sent,
            bytes_verified=progress.bytes_verified,
            elapsed_seconds=round(self._upload.clock.monotonic() - self._started, 3),
            problems=tuple(self._failures.first),
            is_permanent=self._failures.is_permanent,
            would_send=would_send,
            would_delete=would_delete,
        )
