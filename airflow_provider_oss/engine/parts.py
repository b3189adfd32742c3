"""
The parts of a source, and what becomes of each: compared with what OSS holds, and sent if it differs.

The engine asks SourceParts for the size, for the parts, and for the content as a whole, always as if from the
beginning; it does not know whether they can be read anywhere, are read forward, or are copied by OSS itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Final
from urllib.parse import quote

from airflow_provider_oss.engine.plan import Parts, in_working_order
from airflow_provider_oss.engine.retry import Means, RetryingClient
from airflow_provider_oss.engine.source import CopiedSlice, Slice, SourceParts, whole
from airflow_provider_oss.engine.stored import source_crc64
from airflow_provider_oss.engine.workers import ConcurrencyLimiter, Leaving, PartWorkers
from airflow_provider_oss.exceptions import OSSChecksumMismatch, OSSConnectionTimeout, OSSProviderError
from airflow_provider_oss.file_range import Body, FileRange
from airflow_provider_oss.model import (
    Checkpoint,
    CompletedPart,
    Fingerprint,
    ObjectInfo,
    ObjectOptions,
    ObjectRange,
    Part,
    StoredPart,
)
from airflow_provider_oss.ports import Clock, ObjectClient, SendingClient, SourceReader
from airflow_provider_oss.proof import Content, crc64, proven_etag


class ReaderParts:
    """
    The parts of a source that can be read at any offset: workers read for themselves, in any order.

    ``parallel`` threads read it where it is only compared.
    """

    reads_forward = False
    copies = False

    def __init__(self, reader: SourceReader, parallel: int, clock: Clock) -> None:
        self._reader = reader
        self._parallel = parallel
        self._clock = clock
        self._whole = whole(reader)

    @property
    def fingerprint(self) -> Fingerprint:
        """The reader's."""
        return self._reader.fingerprint

    @property
    def size_bytes(self) -> int:
        """The reader's."""
        return self._whole.size_bytes

    def measure(self, part_size_bytes: int | None) -> int:  # noqa: ARG002 - it is known without
        """Return the size."""
        return self.size_bytes

    def slices(self, plan: Parts, stored: Collection[int]) -> Iterator[Slice | None]:
        """Yield missing and stored parts in turns; they are read when a worker has one."""
        return (Slice(part, partial(self._reader.data, part)) for part in in_working_order(plan, stored))

    def whole(self) -> Body:
        """Return the source in memory, read once."""
        data = self._reader.data(self._whole)
        if isinstance(data, FileRange):
            data = data.in_memory()
        self._reader.check_unchanged()
        return data

    def content(self) -> Content:
        """Read it all."""
        return Content(self.size_bytes, source_crc64(self._reader, self._parallel, self._clock))

    def check_unchanged(self) -> None:
        """Ask the reader."""
        self._reader.check_unchanged()

    def close(self, *, is_in_use: bool) -> None:
        """Close the reader, unless a thread still uses its descriptor: once closed its number may be another file's."""
        if not is_in_use:
            self._reader.close()


_MAX_NAME_CHARS: Final = 60
"""What a checkpoint keeps of a source's name beside the longest key: a name that was cut would be another one."""


@dataclass(frozen=True, slots=True)
class CopySource:
    """An object, as HeadObject described it in this attempt: only this version of it is copied."""

    info: ObjectInfo


class CopyParts:
    """
    Ranges of one version of an object, which OSS copies itself: nothing is read here.

    OSS compares the ETag with each range that it copies, so that no mix of two versions can arise.
    """

    reads_forward = False
    copies = True

    def __init__(self, source: CopySource) -> None:
        self._info = source.info

    @property
    def fingerprint(self) -> Fingerprint:
        """The end of the object's address, its size, and a digest of address and ETag as its version."""
        info = self._info
        version = sha256(f"{info.ref.uri}\n{info.etag}".encode()).hexdigest()[:32]
        return Fingerprint(quote(info.ref.uri, safe="/:")[-_MAX_NAME_CHARS:], info.size_bytes, version=version)

    @property
    def size_bytes(self) -> int:
        """The object's."""
        return self._info.size_bytes

    def measure(self, part_size_bytes: int | None) -> int:  # noqa: ARG002 - it is known without
        """Return the size."""
        return self.size_bytes

    def slices(self, plan: Parts, stored: Collection[int]) -> Iterator[CopiedSlice]:
        """Yield the ranges."""
        return (CopiedSlice(part, self._range(part)) for part in in_working_order(plan, stored))

    def whole(self) -> ObjectRange:
        """Return the whole object."""
        return self._range(Part(1, 0, self.size_bytes))

    def content(self) -> Content | None:
        """Return what OSS has said of it."""
        return None if self._info.crc64 is None else Content(self.size_bytes, self._info.crc64)

    def check_unchanged(self) -> None:
        """OSS does that with each range."""

    def close(self, *, is_in_use: bool) -> None:
        """Nothing is held."""

    def _range(self, part: Part) -> ObjectRange:
        return ObjectRange(self._info.ref, self._info.etag, part.offset_bytes, part.size_bytes)


@dataclass(frozen=True, slots=True)
class PartOutcome:
    """What became of a part: sent now, or found stored and equal to the source."""

    part: CompletedPart
    was_sent: bool


class PartCalls:
    """How parts are sent: as many at a time as the link carries, each repeated until the transfer stops."""

    def __init__(self, means: Means[SendingClient], parallel: int, source: SourceParts) -> None:
        self._means = means
        self._parallel = parallel
        self._source = source
        self._limiter = ConcurrencyLimiter(parallel)

    @property
    def threads(self) -> int:
        """One more than parts may be sent at a time: a connection need not wait for the answer to another's."""
        takes_memory = self._source.reads_forward  # a whole part for each thread
        is_all_waiting = self._source.copies  # there is nothing but the answer
        return self._parallel if takes_memory or is_all_waiting or self._parallel == 1 else self._parallel + 1

    def client_until(self, stopping: threading.Event) -> RetryingClient:
        """Return a client that repeats failed calls until ``stopping`` is set."""
        return RetryingClient(
            self._means.client,
            self._means.retrying(stopping, self.describe_tries),
            in_flight=partial(self._limiter.hold, stopping),
            part_failed=self._part_failed,
        )

    def describe_tries(self, tries: str) -> str:
        """Add to the words that say what was tried that fewer parts were sent at a time."""
        parallel, allowed = self._parallel, self._limiter.allowed
        return tries if allowed == parallel else f"{tries}, parallel lowered from {parallel} to {allowed}"

    def _part_failed(self, error: OSSProviderError) -> None:
        """Look at a failure to send a part, in the thread of the call."""
        if isinstance(error, OSSConnectionTimeout):
            self._limiter.halve()
        elif isinstance(error, OSSChecksumMismatch):
            self._source.check_unchanged()  # what changed after it was looked at is not sent any more


def _ignore(_: int) -> None:
    """Stand for nobody who wants to know which parts are begun."""


class PartTransfer:
    """
    Works through all parts of a plan, ``threads`` at a time.

    ``client_until`` makes the client for one run; once the event it is given is set, failed calls are not repeated.
    ``begins`` is called with the number of each part that is not stored yet, in the thread that sends it.
    """

    def __init__(
        self,
        source: SourceParts,
        client_until: Callable[[threading.Event], ObjectClient],
        options: ObjectOptions,
        *,
        threads: int,
        begins: Callable[[int], None] = _ignore,
    ) -> None:
        self._source = source
        self._client_until = client_until
        self._options = options
        self._threads = threads
        self._begins = begins
        self._workers: PartWorkers[Slice | CopiedSlice, PartOutcome] | None = None

    def run(
        self,
        checkpoint: Checkpoint,
        plan: Parts,
        stored: Mapping[int, StoredPart],
        proven: Collection[int] = (),
    ) -> Iterator[PartOutcome | None]:
        """
        Yield the outcome of every part, in order of completion; None now and then while waiting.

        The ``proven`` ones of the stored parts are known to be the source's: those that OSS lists with the right size
        and a CRC-64 are not read. Copied parts may lack a CRC-64; the whole object's is compared at the end.
        """
        stopping = threading.Event()
        client = self._client_until(stopping)

        def handle(piece: Slice | CopiedSlice) -> PartOutcome:
            held = stored.get(piece.part.number) if piece.part.number in proven else None
            if isinstance(piece, CopiedSlice):
                return _as_listed(piece, held) or self._copy(client, checkpoint, piece)
            try:
                known = _as_listed(piece, held)
                return known or self._verify_or_send(client, checkpoint, piece, stored.get(piece.part.number))
            finally:
                piece.release()

        self._workers = PartWorkers(
            self._source.slices(plan, stored.keys()),
            handle,
            threads=min(self._threads, plan.count),
            stopping=stopping,
            hands_over=self._source.reads_forward,
        )
        return self._workers.outcomes()

    def stop(self, leaving: Leaving) -> bool:
        """Begin no further part, leave those in flight, and return whether none is in flight any more."""
        return self._workers is None or self._workers.stop(leaving)

    def _copy(self, client: ObjectClient, checkpoint: Checkpoint, piece: CopiedSlice) -> PartOutcome:
        """Run in a worker thread."""
        number, upload_id = piece.part.number, checkpoint.upload_id
        self._begins(number)
        copied = client.upload_part_copy(checkpoint.ref, upload_id, number, piece.source, self._options)
        return PartOutcome(copied, was_sent=True)

    def _verify_or_send(
        self, client: ObjectClient, checkpoint: Checkpoint, piece: Slice, stored: StoredPart | None
    ) -> PartOutcome:
        """Run in a worker thread."""
        part, data, crc = piece.part, piece.read(), piece.crc64
        if crc is None and (stored is not None or not client.sums_what_it_sends):
            crc = crc64(data)
        if stored is not None and crc is not None:
            etag = proven_etag(stored, data, crc)
            if etag is not None:
                return PartOutcome(CompletedPart(part.number, part.size_bytes, etag, crc), was_sent=False)
        self._begins(part.number)
        sent = client.upload_part(checkpoint.ref, checkpoint.upload_id, part.number, data, crc, self._options)
        return PartOutcome(sent, was_sent=True)


def _as_listed(piece: Slice | CopiedSlice, stored: StoredPart | None) -> PartOutcome | None:
    """Return the part as OSS lists it, if its size is right and its CRC-64, where it has to have one, is there."""
    if stored is None or stored.etag is None or stored.size_bytes != piece.part.size_bytes:
        return None
    if stored.crc64 is None and isinstance(piece, Slice):
        return None
    part = CompletedPart(stored.number, stored.size_bytes, stored.etag, stored.crc64)
    return PartOutcome(part, was_sent=False)
