"""Whatever stands where records and results should be, the page gets an answer, and of bounded size."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, Final

from fastapi.responses import JSONResponse
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_oss.progress.record import AttemptRecord, TransferRecord
from airflow_provider_oss.ui import allowed
from tests.ui.rows import RECORD

SCALARS: Final = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("0001-01-01T00:00:00+14:00")
)
ANYTHING: Final[st.SearchStrategy[Any]] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=10
)
EDITED: Final = st.dictionaries(st.sampled_from(sorted(RECORD)), ANYTHING, max_size=3).map(lambda edits: RECORD | edits)


ATTEMPT: Final = asdict(AttemptRecord(1, "2026-11-30T18:00:00Z", 10.0, 300, 100, 0, 1, "failed", "OSSTimeout: no"))


@given(ANYTHING | EDITED)
@example(RECORD | {"done": 10**400, "rate": float("nan"), "rates": [[float("inf"), 1]]})
@example(RECORD | {"target": "\ud800", "events": [{"text": "x" * 10**6}] * 100})
@example("[" * 100_000)
def test_whatever_is_stored(value: Any) -> None:
    """Nothing raises, what is shown can be sent and compared, and a record is never longer than tasks write it."""
    for stored in (value, value if isinstance(value, str) else json.dumps(value)):
        for read in (allowed.record, allowed.result, allowed.stale_uploads, allowed.console_link):
            assert len(JSONResponse(read(stored)).body) < 30_000
        record = allowed.record(stored)
        assert record is None or allowed.updated_at(record) <= max(map(allowed.updated_at, (record, RECORD)))
    allowed.summary(allowed.result(value))


def test_a_whole_record_is_shown_whole() -> None:
    """Every field that tasks write, as data and as the JSON text of a Variable."""
    record = TransferRecord.parse(
        RECORD | {"files": {"total": None, "sent": 1, "skipped": 2, "failed": 0}, "attempts": [ATTEMPT]}
    ).as_json()
    assert record.keys() == {*RECORD, "files"}
    assert allowed.record(record) == allowed.record(json.dumps(record)) == record
