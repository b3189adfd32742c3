"""What the demonstration has shown, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.conftest import BUCKET, KEY_ID, KEY_SECRET
from tests.demo.sizes import in_unit, in_words, unit_for
from tests.demo.story import DAG_ID

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.demo.story import Outcome

_ROW = "{:>7}  {:<8} {:>10} {:>10} {:>10} {:>9}"
_LEGEND = """\
  Sizes in {unit}. Sent: reached the server. Verified: stored earlier, now read again and found equal
  (a killed attempt: as its log said last). Skipped: stored earlier and not sent again."""
_READ_ON = "Read on: README.md; dags_examples/ (this was resumable_upload.py); `make test` does it with each store."


def lines(outcome: Outcome) -> Iterator[str]:
    """Yield the report line by line."""
    yield ""
    yield from _table(outcome)
    yield ""
    yield from _facts(outcome)
    yield ""
    yield _READ_ON


def kept_lines(outcome: Outcome) -> Iterator[str]:
    """Yield what is open after the demonstration, and how it ends."""
    yield f"Airflow's UI:      {outcome.airflow_url}/dags/{DAG_ID} (no login: everybody is its admin)"
    yield f"OSS:               {outcome.oss_endpoint}, bucket {BUCKET}, AccessKey {KEY_ID} with secret {KEY_SECRET}"
    yield "DAGs:              dags_examples/, paused; those of a database, S3 or HTTP lack their connection"
    yield "Ctrl-C ends all of it and removes what it has stored."


def _table(outcome: Outcome) -> Iterator[str]:
    unit, unit_bytes = unit_for(outcome.plan.size_bytes)
    yield _ROW.format("attempt", "ended by", "sent", "verified", "skipped", "seconds")
    for one in outcome.attempts:
        amounts = (in_unit(size, unit_bytes) for size in (one.sent_bytes, one.verified_bytes, one.skipped_bytes))
        yield _ROW.format(one.number, one.ended_by, *amounts, f"{one.seconds:.1f}")
    seconds = sum(attempt.seconds for attempt in outcome.attempts)
    yield _ROW.format("total", "", in_unit(outcome.sent_bytes, unit_bytes), "", "", f"{seconds:.1f}")
    yield _LEGEND.format(unit=unit)


def _facts(outcome: Outcome) -> Iterator[str]:
    size_bytes, comparison = outcome.plan.size_bytes, outcome.comparison
    ratio = f", {outcome.sent_bytes / size_bytes:.2f} x the file" if size_bytes else ""
    yield f"Sent in all:       {in_words(outcome.sent_bytes)} for a file of {in_words(size_bytes)}{ratio}"
    if outcome.plan.kill_at:
        yield f"Sent again:        {in_words(outcome.sent_again_bytes)}, which were in flight when the task was killed"
    if outcome.upload_id:
        yield f"Upload id:         {outcome.upload_id}, the same in all attempts"
    verdict = "every byte is equal" if comparison.equal else "NOT EQUAL"
    yield f"CRC-64, file:      {comparison.file_crc64}"
    yield f"CRC-64, object:    {comparison.downloaded_crc64} (downloaded; {verdict})"
    yield f"CRC-64, OSS says:  {comparison.told_crc64}"
    yield f"Left behind:       uploads on the server: {outcome.uploads_left}, checkpoints: {outcome.checkpoints_left}"
