"""What docs/operations.md says of metrics and settings is what there is."""

from __future__ import annotations

from airflow_provider_oss.progress.metrics import COUNTERS, DURATION, ENDED
from airflow_provider_oss.provider_info import get_provider_info
from tests.docs.pages import ROOT, table_rows
from tests.support.discovery import operators

PAGE = ROOT / "docs" / "operations.md"


def test_metrics() -> None:
    """The table has every metric with what it counts, and no other."""
    rows = {row[0].strip("`"): row[1:] for row in table_rows(PAGE, "Metrics")}
    assert rows.keys() == {*COUNTERS, ENDED, DURATION}
    assert {name: rows[name][-1] for name in COUNTERS} == COUNTERS
    assert {rows[name][0] for name in (*COUNTERS, ENDED)} == {"counter"}


def test_kinds() -> None:
    """Every kind of transfer is named."""
    text = PAGE.read_text("utf-8")
    kinds = {getattr(kind, "transfer_kind", "") for kind in operators().values()} - {""}
    assert [kind for kind in kinds if f"`{kind}`" not in text] == []


def test_settings() -> None:
    """Every option of the log is shown with its default."""
    text = PAGE.read_text("utf-8")
    options = get_provider_info()["config"]["aliyun_oss"]["options"]
    shown = [name for name in options if name.startswith("log_")]
    assert [name for name in shown if f"{name} = {options[name]['default']}" not in text] == []
