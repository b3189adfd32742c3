"""Several files to OSS, one after the other: what is there already is left alone, what fails does not stop the rest."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_oss.exceptions import (
    OSSCallbackFailed,
    OSSCheckpointUnreadable,
    OSSInvalidSource,
    OSSObjectAlreadyExists,
    OSSPermanentError,
    OSSProviderError,
    OSSSourceChanged,
    OSSSourceUnavailable,
    OSSTransientError,
)
from airflow_provider_oss.model import Checkpoint, ObjectInfo, ObjectRef
from airflow_provider_oss.options import parse_options
from airflow_provider_oss.sources.checksum import source_crc64
from airflow_provider_oss.transfers.present import as_result, is_described_as, look_at

if TYPE_CHECKING:
    from airflow_provider_oss.hooks.oss import OSSHook
    from airflow_provider_oss.operators.resumable import ResumableArguments
    from airflow_provider_oss.options import ObjectOptionArguments
    from airflow_provider_oss.sources.selection import SelectedSource

log = logging.getLogger(__name__)

_OF_ONE_FILE: Final = (
    OSSInvalidSource,
    OSSSourceUnavailable,
    OSSSourceChanged,
    OSSObjectAlreadyExists,
    OSSCallbackFailed,
)
"""What says nothing about the other files."""

_MOST_IN_A_ROW: Final = 3
"""Files that cannot be read now, one after the other: the storage is down, and asking for the rest takes for ever."""

_SHOWN_FAILURES: Final = 10


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
class StoredAll:
    """What became of all files."""

    objects: tuple[StoredOne, ...]
    failed: tuple[FailedOne, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return plain data, fit for XCom."""
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
        lines = [f"{one.source}: {one.error}" for one in self.failed[:_SHOWN_FAILURES]]
        if more := len(self.failed) - len(lines):
            lines.append(f"and {more} more")
        kind = OSSTransientError if any(one.may_pass for one in self.failed) else OSSPermanentError
        total = len(self.objects) + len(self.failed)
        raise kind(f"{len(self.failed)} of {total} files were not stored, the others are:\n" + "\n".join(lines))


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

    def run(self, keys: Mapping[str, SelectedSource]) -> StoredAll:
        """
        Store the files under their keys and return what became of each.

        Begins with the one that an earlier attempt was at, for there is one checkpoint. Raises what says that the
        others cannot be stored either, and OSSInvalidArgument for a key that OSS would refuse, before anything is sent.
        """
        refs = {self._hook.resolve(key, self._bucket_name): one for key, one in keys.items()}
        begun = self._checkpoint()
        if begun is not None and begun.ref not in refs:
            log.warning("%s is not to be stored any more: aborting its upload %s", begun.ref, begun.upload_id)
            self._hook.abandon_upload(self._arguments["checkpoint"])
            begun = None
        first = () if begun is None else (begun.ref,)
        in_a_row = 0
        for ref in (*first, *(ref for ref in refs if ref not in first)):
            self._arguments["cancellation"].check()
            try:
                self._stored.append(self._store(ref, refs[ref], may_be_there=ref not in first))
            except _OF_ONE_FILE as error:
                self._note_failure(ref, refs[ref], error)
                in_a_row = in_a_row + 1 if isinstance(error, OSSSourceUnavailable) else 0
                if in_a_row == _MOST_IN_A_ROW:
                    raise
            else:
                in_a_row = 0
        return StoredAll(tuple(self._stored), tuple(self._failed))

    def _note_failure(self, ref: ObjectRef, one: SelectedSource, error: OSSProviderError) -> None:
        log.error("%s was not stored as %s: %s: %s", one.name, ref, type(error).__name__, error)
        may_pass = isinstance(error, OSSTransientError)
        self._failed.append(FailedOne(one.name, ref.uri, f"{type(error).__name__}: {error}", may_pass))

    def _store(self, ref: ObjectRef, one: SelectedSource, *, may_be_there: bool) -> StoredOne:
        found = self._find_equal(ref, one) if may_be_there else None
        if found is not None:
            log.info("%s is there already and equal to %s", ref, one.name)
            result = as_result(found)
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
        found = look_at(self._hook, ref)
        if found is None or found.crc64 is None or not is_described_as(found, self._wanted):
            return None
        reader = one.source.open()
        try:
            if reader.fingerprint.size_bytes != found.size_bytes:
                return None
            crc = source_crc64(reader, self._arguments["parallel"], self._arguments["cancellation"])
        finally:
            reader.close()
        return found if crc == found.crc64 else None

    def _checkpoint(self) -> Checkpoint | None:
        with suppress(OSSCheckpointUnreadable):  # the first upload reports and replaces it
            return self._arguments["checkpoint"].load()
        return None
