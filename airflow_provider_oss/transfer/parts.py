"""The parts of one multipart upload: each is read, compared with what OSS holds, and sent if it differs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from airflow_provider_oss.crc64 import crc64
from airflow_provider_oss.model import Checkpoint, CompletedPart, ObjectOptions, StoredPart
from airflow_provider_oss.ports import ObjectClient
from airflow_provider_oss.transfer.feed import CopiedSlice, Feed, Slice
from airflow_provider_oss.transfer.plan import Plan
from airflow_provider_oss.transfer.workers import PartWorkers
from airflow_provider_oss.verify import proven_etag


@dataclass(frozen=True, slots=True)
class PartOutcome:
    """What became of a part: sent now, or found stored and equal to the source."""

    part: CompletedPart
    was_sent: bool


class PartTransfer:
    """
    Works through all parts of a plan, ``threads`` at a time.

    ``client_until`` makes the client for one run; once the event it is given is set, failed calls are not repeated.
    """

    def __init__(
        self,
        feed: Feed,
        client_until: Callable[[threading.Event], ObjectClient],
        options: ObjectOptions,
        *,
        threads: int,
    ) -> None:
        self._feed = feed
        self._client_until = client_until
        self._options = options
        self._threads = threads
        self._workers: PartWorkers[Slice | CopiedSlice, PartOutcome] | None = None

    def run(
        self, checkpoint: Checkpoint, plan: Plan, stored: Mapping[int, StoredPart], *, is_same_content: bool = False
    ) -> Iterator[PartOutcome | None]:
        """
        Yield the outcome of every part, in order of completion; None now and then while waiting.

        With ``is_same_content`` the source is known to be what the stored parts were made of: those that OSS lists with
        the right size and a CRC-64 are not read. Of a copy they need no CRC-64: the whole object's decides at the end.
        """
        stopping = threading.Event()
        client = self._client_until(stopping)

        def handle(piece: Slice | CopiedSlice) -> PartOutcome:
            held = stored.get(piece.part.number) if is_same_content else None
            if isinstance(piece, CopiedSlice):
                return _as_listed(piece, held) or self._copy(client, checkpoint, piece)
            try:
                known = _as_listed(piece, held)
                return known or self._verify_or_send(client, checkpoint, piece, stored.get(piece.part.number))
            finally:
                piece.release()

        self._workers = PartWorkers(
            self._feed.slices(plan, stored.keys()),
            handle,
            threads=min(self._threads, plan.count),
            stopping=stopping,
            hands_over=self._feed.reads_forward,
        )
        return self._workers.outcomes()

    def stop(self, within_seconds: float) -> bool:
        """Begin no further part, wait so long for those in flight, and return whether none is in flight any more."""
        return self._workers is None or self._workers.stop(within_seconds)

    def _copy(self, client: ObjectClient, checkpoint: Checkpoint, piece: CopiedSlice) -> PartOutcome:
        """Run in a worker thread."""
        number, upload_id = piece.part.number, checkpoint.upload_id
        copied = client.upload_part_copy(checkpoint.ref, upload_id, number, piece.source, self._options)
        return PartOutcome(copied, was_sent=True)

    def _verify_or_send(
        self, client: ObjectClient, checkpoint: Checkpoint, piece: Slice, stored: StoredPart | None
    ) -> PartOutcome:
        """Run in a worker thread."""
        part, data = piece.part, piece.read()
        crc = crc64(data) if piece.crc64 is None else piece.crc64
        etag = proven_etag(stored, data, crc) if stored is not None else None
        if etag is not None:
            return PartOutcome(CompletedPart(part.number, part.size_bytes, etag, crc), was_sent=False)
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
