"""Several files to OSS, one after the other: what is there already is left alone, what fails does not stop the rest."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from os.path import commonprefix
from typing import TYPE_CHECKING, Any, Final

from typing_extensions import override

from airflow_provider_oss.cancellation import obeying
from airflow_provider_oss.engine.progress import watched
from airflow_provider_oss.engine.stored import is_equal, look_at, result_of
from airflow_provider_oss.exceptions import (
    OSSCallbackFailed,
    OSSCheckpointUnreadable,
    OSSInvalidSource,
    OSSObjectAlreadyExists,
    OSSSourceChanged,
    OSSSourceElsewhere,
    OSSSourceUnavailable,
    OSSTransientError,
)
from airflow_provider_oss.failures import Failure, Failures, error_of_many
from airflow_provider_oss.model import Checkpoint, FilesState, ObjectInfo, ObjectRef, Result, TransferState
from airflow_provider_oss.options import is_described_as, parse_options
from airflow_provider_oss.shown import MOST_NAMED, Log

if TYPE_CHECKING:
    from airflow_provider_oss.hooks.oss import OSSHook
    from airflow_provider_oss.operators.resumable import ResumableArguments
    from airflow_provider_oss.options import ObjectOptionArguments
    from airflow_provider_oss.ports import CheckpointStore
    from airflow_provider_oss.sources.object_storage import SelectedSource

log = Log(__name__)

_OF_ONE_FILE: Final = (
    OSSInvalidSource,
    OSSSourceUnavailable,
    OSSSourceElsewhere,
    OSSSourceChanged,
    OSSObjectAlreadyExists,
    OSSCallbackFailed,
)
"""What says nothing about the other files."""


@dataclass(frozen=True, slots=True)
class StoredOne:
    """A file whose object is equal to it, and what this attempt did for that."""

    source: str
    bucket: str
    key: str
    uri: str
    size: int
    etag: str
    crc64: str
    version_id: str | None
    resumed: bool
    bytes_sent: int
    bytes_verified: int


@dataclass(frozen=True, slots=True)
class FailedOne:
    """A file whose object was not stored."""

    source: str
    uri: str
    error: str
    may_pass: bool
    """Whether another attempt may succeed."""


@dataclass(frozen=True, slots=True)
class StoredAll(Result):
    """What became of all files."""

    objects: tuple[StoredOne, ...]
    failed: tuple[FailedOne, ...]

    @override
    def describe(self) -> str:
        sums = self.as_dict()
        done = f"{sums['size']} bytes, {sums['bytes_sent']} of them sent and {sums['bytes_verified']} verified"
        return f"Stored {len(self.objects)} files: {done}; failed {len(self.failed)}"

    @property
    @override
    def has_failures(self) -> bool:
        return bool(self.failed)

    @override
    def as_dict(self) -> dict[str, Any]:
        return {
            "objects": [asdict(one) for one in self.objects],
            "failed": [asdict(one) for one in self.failed],
            "size": sum(one.size for one in self.objects),
            "bytes_sent": sum(one.bytes_sent for one in self.objects),
            "bytes_verified": sum(one.bytes_verified for one in self.objects),
        }

    def raise_failures(self) -> None:
        """Raise when a file failed: OSSPermanentError when no retry can mend any of them, else OSSTransientError."""
        if not self.failed:
            return
        count = len(self.failed)
        raise error_of_many(
            f"{count} of {len(self.objects) + count} files were not stored, the others are",
            ((one.source, one.error) for one in self.failed[:MOST_NAMED]),
            count,
            is_permanent=not any(one.may_pass for one in self.failed),
        )


class StoreAll:
    """One attempt. ``arguments`` are the keywords of ``OSSHook.upload_source`` that say how."""

    def __init__(
        self, hook: OSSHook, bucket_name: str | None, arguments: ResumableArguments, options: ObjectOptionArguments
    ) -> None:
        self._hook = hook
        self._bucket_name = bucket_name
        self._arguments = arguments
        self._options = options
        self._wanted = parse_options(**options)
        self._stored: list[StoredOne] = []
        self._failed: list[FailedOne] = []
        self._skipped = self._skipped_bytes = 0

    def run(self, keys: Mapping[str, SelectedSource]) -> StoredAll:
        """
        Store the files under their keys and return what became of each.

        Begins with the one that an earlier attempt was at, for there is one checkpoint. Raises what says that the
        others cannot be stored either, and OSSInvalidArgument for a key that OSS would refuse, before anything is sent.
        """
        refs = {self._hook.resolve(key, self._bucket_name, storing=True): one for key, one in keys.items()}
        folder = commonprefix([ref.uri for ref in refs]).rpartition("/")[0]  # noqa: RUF071 - it ends at a slash

        def state() -> TransferState:
            """Return how far it is: the bytes of each file that is sent are watched beside."""
            sent = len(self._stored) - self._skipped
            files = FilesState(len(refs), sent, self._skipped, len(self._failed))
            return TransferState(f"{folder}/", skipped_bytes=self._skipped_bytes, files=files)

        with watched(self._hook.watcher, state):
            return self._store_all(refs)

    def _store_all(self, refs: Mapping[ObjectRef, SelectedSource]) -> StoredAll:
        begun = saved_in(self._arguments["checkpoint"])
        if begun is not None and begun.ref not in refs:
            log.warning("%s is not to be stored any more: giving up its upload %s", begun.ref, begun.upload_id)
            self._hook.abandon_upload(self._arguments["checkpoint"])
            begun = None
        first = () if begun is None else (begun.ref,)
        failures = Failures()
        for ref in (*first, *(ref for ref in refs if ref not in first)):
            self._arguments["cancellation"].check()
            self._hook.watcher.tick()
            try:
                self._stored.append(self._store(ref, refs[ref], may_be_there=ref not in first))
            except _OF_ONE_FILE as error:
                failure = Failure(refs[ref].name, error, isinstance(error, OSSTransientError))
                failures.add(failure)
                if failures.is_hopeless:  # the storage is down, and asking for the rest takes for ever
                    raise
                self._failed.append(FailedOne(failure.name, ref.uri, failure.text, failure.may_pass))
            else:
                failures.note_success()
        return StoredAll(tuple(self._stored), tuple(self._failed))

    def _store(self, ref: ObjectRef, one: SelectedSource, *, may_be_there: bool) -> StoredOne:
        found = self._find_equal(ref, one) if may_be_there else None
        if found is not None:
            log.info("%s is there already and equal to %s", ref, one.name)
            self._skipped += 1
            self._skipped_bytes += found.size_bytes
            result = result_of(found)
        else:
            result = self._hook.upload_source(ref.uri, one.source, **self._arguments, **self._options)
            log.info("Stored %s: %d bytes, %d of them sent", ref, result.size, result.bytes_sent)
        return StoredOne(
            source=one.name,
            bucket=result.bucket,
            key=result.key,
            uri=result.uri,
            size=result.size,
            etag=result.etag,
            crc64=result.crc64,
            version_id=result.version_id,
            resumed=result.resumed,
            bytes_sent=result.bytes_sent,
            bytes_verified=result.bytes_verified,
        )

    def _find_equal(self, ref: ObjectRef, one: SelectedSource) -> ObjectInfo | None:
        """Return the object when it is what would be stored, as far as can be seen. Reads the file to know."""
        found = look_at(self._head, ref)
        if found is None or found.crc64 is None or not is_described_as(found, self._wanted):
            return None
        with closing(one.source.open()) as reader, obeying(self._arguments["cancellation"]):
            return found if is_equal(found, reader, self._arguments["parallel"]) else None

    def _head(self, ref: ObjectRef) -> ObjectInfo:
        return self._hook.with_new_credentials(lambda: self._hook.head_object(ref.uri))


def saved_in(store: CheckpointStore) -> Checkpoint | None:
    """Return the checkpoint of an earlier attempt, if there is one that can be read."""
    with suppress(OSSCheckpointUnreadable):  # the first upload reports and replaces it
        return store.load()
    return None
