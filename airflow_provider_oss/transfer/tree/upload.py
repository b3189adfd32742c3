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
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from airflow_provider_oss.exceptions import (
    OSSBadResponse,
    OSSCredentialsExpired,
    OSSInvalidArgument,
)
from airflow_provider_oss.limits import MIB
from airflow_provider_oss.model import Checkpoint, ListedObject, ObjectOptions, ObjectPrefix, ObjectRef
from airflow_provider_oss.ports import CheckpointStore, Clock, ProgressCallback, TreeClient
from airflow_provider_oss.transfer.cancellation import Cancellation
from airflow_provider_oss.transfer.clock import SystemClock
from airflow_provider_oss.transfer.deletion import delete_all
from airflow_provider_oss.transfer.engine import UploadSettings
from airflow_provider_oss.transfer.keeper import CheckpointKeeper
from airflow_provider_oss.transfer.many_files import FileOutcome, FileToStore, FileUploads
from airflow_provider_oss.transfer.places import CheckpointPlaces
from airflow_provider_oss.transfer.plan import make_plan
from airflow_provider_oss.transfer.retry import RetryingClient, cannot_renew, make_retrying
from airflow_provider_oss.transfer.tree.compare import Candidate, Comparison
from airflow_provider_oss.transfer.tree.failures import Failures
from airflow_provider_oss.transfer.tree.globs import Selection
from airflow_provider_oss.transfer.tree.progress import CallbackFailed, TreeProgress
from airflow_provider_oss.transfer.tree.result import SHOWN, Tally, TreeResult, printable
from airflow_provider_oss.transfer.tree.walk import LocalFile, LocalTree, Problem, Symlinks, read_tree
from airflow_provider_oss.transfer.upload_ids import UploadIds

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

_SHOWN_IN_LOG: Final = 1000
"""Names of each kind that a dry run logs."""


@dataclass(frozen=True, slots=True)
class TreeSource:
    """Which files."""

    directory: str
    selection: Selection = field(default_factory=Selection)
    symlinks: Symlinks = "follow"


@dataclass(frozen=True, slots=True)
class TreeRules:
    """What is done with what is found on either side."""

    skip_unchanged: bool = True
    """Do not send files whose object is equal: same size, and same MD5 or CRC-64."""
    delete_removed: bool = False
    """Delete the objects below the prefix that the selection means and the directory does not have."""
    allow_empty: bool = False
    """Delete them also when no file is there."""
    dry_run: bool = False
    """Only tell what would be sent and deleted."""


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
        self._progress = TreeProgress(Tally(), None, upload.clock)
        self._same_size: dict[str, str] = {}
        self._surplus: dict[str, int] = {}

    def run(self) -> TreeResult:
        self._check_arguments()
        self._read()
        if self._rules.skip_unchanged or self._rules.delete_removed:
            self._renewing(self._list)
        self._check_surplus()
        unchanged = self._find_unchanged() if self._rules.skip_unchanged else set()
        to_send = [file for relative, file in self._files.items() if relative not in unchanged]
        if self._rules.dry_run:
            return self._shown(to_send)
        if not self._failures.is_hopeless:
            self._send(to_send)
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
        """Do it anew as often as new credentials can be had for those that expired."""
        while True:
            try:
                return work()
            except OSSCredentialsExpired as error:
                if not self._upload.renew_credentials():
                    raise
                log.info("%s: going on with new credentials: %s", self._target, error)

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
        log.info("%s: %d files, %.1f MiB", printable(source.directory), total.count, total.size_bytes / MIB)

    def _list(self) -> None:
        """Compare with what OSS lists below the prefix, all pages: an incomplete listing raises."""
        self._same_size, self._surplus = {}, {}
        for listed in self._listed():
            relative = listed.ref.key[len(self._target.prefix) :]
            file = self._files.get(relative)
            if file is not None and file.size_bytes == listed.size_bytes:
                self._same_size[relative] = listed.etag
            elif file is None and self._is_surplus(relative):
                self._surplus[listed.ref.key] = listed.size_bytes

    def _listed(self) -> Iterator[ListedObject]:
        token: str | None = ""
        while token is not None:
            self._upload.cancellation.check()
            page = self._retrying(self._upload.client.list_objects, self._target.bucket, self._target.prefix, "", token)
            yield from page.items
            token = page.next_token

    def _is_surplus(self, relative: str) -> bool:
        """Whether an object may be deleted. One whose name ends with a slash stands for a folder, and never is."""
        if not self._rules.delete_removed or not relative or relative.endswith("/"):
            return False
        return self._upload.source.selection.matches(relative)

    def _check_surplus(self) -> None:
        """Raise OSSInvalidArgument rather than empty the prefix because the directory is empty."""
        if self._surplus and not self._files and not self._failures.tally.count and not self._rules.allow_empty:
            raise OSSInvalidArgument(
                f"directory={self._upload.source.directory!r} has no file that include and exclude mean: "
                f"delete_removed=True would delete all {len(self._surplus)} objects below {self._target}; if that is "
                "meant, set allow_empty=True"
            )

    # Comparing

    def _find_unchanged(self) -> set[str]:
        comparison = Comparison(self._upload.client, self._ask_again, self._upload.settings.parallel, self._idle)
        unchanged = set()
        outcomes = comparison.run(self._candidates())
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
                outcomes.close()
                break
        return unchanged

    def _candidates(self) -> Iterator[Candidate]:
        for relative, etag in self._same_size.items():
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
        unfinished: set[ObjectRef] = set()
        outcomes = uploads.run(FileToStore(self._path(one.relative), self._target.ref(one.relative)) for one in files)
        for outcome in outcomes:
            if outcome.error is not None:
                unfinished.add(outcome.file.ref)
            self._note_outcome(outcome)
            if self._failures.is_hopeless:
                outcomes.close()
                return
            self._progress.line_if_due()
        self._drop_checkpoints(unfinished)

    def _note_outcome(self, outcome: FileOutcome) -> None:
        file = self._files[outcome.file.ref.key[len(self._target.prefix) :]]
        if outcome.result is not None:
            self._failures.note_success()
            self._progress.file_sent(file.size_bytes, outcome.result)
        elif outcome.error is not None:
            self._note_failure(Problem(file.relative, outcome.error, file.size_bytes))

    def _note_failure(self, problem: Problem) -> None:
        self._failures.add(problem)
        self._progress.file_failed(problem.size_bytes)

    def _part_done(self, file: FileToStore, fraction: float, checkpoint: Checkpoint | None, response: Any) -> None:
        size_bytes = self._files[file.ref.key[len(self._target.prefix) :]].size_bytes
        self._progress.part_done(size_bytes, fraction, checkpoint, response)

    def _drop_checkpoints(self, unfinished: set[ObjectRef]) -> None:
        """Abort the uploads of files that are not to be sent any more: no later attempt would come back to them."""
        for store, checkpoint in self._places.left_behind(unfinished):
            log.info("%s: nothing is left to send, aborting upload %s", checkpoint.ref, checkpoint.upload_id)
            keeper = CheckpointKeeper(store, 0, self._upload.clock)
            keeper.load()
            UploadIds(checkpoint.ref, self._upload.options, self._client, keeper, self._upload.clock).clean_up(
                checkpoint
            )

    # Deleting

    def _delete(self) -> Tally:
        """Delete what the directory does not have. Raises OSSBadResponse when OSS does not say that all are gone."""
        if self._failures.tally.count:
            if self._surplus:
                log.warning("Nothing is deleted below %s: not every file was stored", self._target)
            return Tally()
        left, deleted = self._still_surplus(), Tally()

        def delete() -> None:
            nonlocal deleted
            for keys in delete_all(self._upload.client, self._retrying, self._target.bucket, list(left)):
                for key in keys:
                    if key in left:
                        deleted = deleted.plus(left.pop(key))
                self._idle()

        self._renewing(delete)
        if left:
            raise OSSBadResponse(f"OSS did not report {len(left)} objects deleted, among them {next(iter(left))!r}")
        return deleted

    def _still_surplus(self) -> dict[str, int]:
        """Return the objects to delete, without those whose file has come up since the directory was read."""
        prefix_chars = len(self._target.prefix)
        return {
            key: size_bytes
            for key, size_bytes in self._surplus.items()
            if not os.path.lexists(self._path(key[prefix_chars:]))
        }

    # Telling

    def _shown(self, to_send: Sequence[LocalFile]) -> TreeResult:
        """Tell what would be done."""
        surplus = {} if self._failures.tally.count else self._still_surplus()
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
