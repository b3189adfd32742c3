"""The parts of one multipart upload: each is read, compared with what OSS holds, and sent if it differs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from airflow_provider_oss.crc64 import crc64
from airflow_provider_oss.model import Checkpoint, CompletedPart, ObjectOptions, Part, StoredPart
from airflow_provider_oss.ports import ObjectClient, SourceReader
from airflow_provider_oss.transfer.plan import PartPlan, in_working_order
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
        reader: SourceReader,
        client_until: Callable[[threading.Event], ObjectClient],
        options: ObjectOptions,
        *,
        threads: int,
    ) -> None:
        self._reader = reader
        self._client_until = client_until
        self._options = options
        self._threads = threads
        self._workers: PartWorkers[PartOutcome] | None = None

    def run(
        self, checkpoint: Checkpoint, plan: PartPlan, stored: Mapping[int, StoredPart]
    ) -> Iterator[PartOutcome | None]:
        """Yield the outcome of every part, in order of completion; None now and then while waiting."""
        stopping = threading.Event()
        client = self._client_until(stopping)

        def handle(part: Part) -> PartOutcome:
            return self._verify_or_send(client, checkpoint, part, stored.get(part.number))

        self._workers = PartWorkers(
            in_working_order(plan, stored.keys()),
            handle,
            threads=min(self._threads, plan.count),
            stopping=stopping,
        )
        return self._workers.outcomes()

    def stop(self, within_seconds: float) -> bool:
        """Begin no further part, wait so long for those in flight, and return whether none is in flight any more."""
        return self._workers is None or self._workers.stop(within_seconds)

    def _verify_or_send(
        self, client: ObjectClient, checkpoint: Checkpoint, part: Part, stored: StoredPart | None
    ) -> PartOutcome:
        """Run in a worker thread."""
        data = self._reader.data(part)
        crc = crc64(data)
        etag = proven_etag(stored, data, crc) if stored is not None else None
        if etag is not None:
            return PartOutcome(CompletedPart(part.number, part.size_bytes, etag, crc), was_sent=False)
        sent = client.upload_part(checkpoint.ref, checkpoint.upload_id, part.number, data, crc, self._options)
        return PartOutcome(sent, was_sent=True)
