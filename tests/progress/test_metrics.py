"""Airflow's own metrics, and the span of a trace, have what an attempt has transferred."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import Stats

from airflow_provider_oss.progress.metrics import COUNTERS, DURATION, ENDED, report_attempt
from tests.progress.test_record import RECORD

ENDED_RECORD = replace(RECORD, state="succeeded", skipped=5)


@pytest.fixture
def reported(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any, Any]]:
    """What Airflow's metrics are given."""
    given: list[tuple[str, Any, Any]] = []
    monkeypatch.setattr(Stats, "incr", lambda name, count, *, tags: given.append((name, count, tags)))
    monkeypatch.setattr(Stats, "timing", lambda name, span, *, tags: given.append((name, span.total_seconds(), tags)))
    return given


def test_figures(reported: list[tuple[str, Any, Any]]) -> None:
    """Each figure is counted with the kind of transfer; how the attempt ended is told with its duration."""
    report_attempt(ENDED_RECORD)
    kind = {"kind": "upload"}
    assert reported == [
        ("oss.transfer.bytes_sent", 40, kind),
        ("oss.transfer.bytes_skipped", 25, kind),
        ("oss.transfer.parts_retried", 1, kind),
        ("oss.transfer.resumes", 1, kind),
        (ENDED, 1, {**kind, "state": "succeeded"}),
        (DURATION, 20.5, {**kind, "state": "succeeded"}),
    ]


def test_nothing_is_not_counted(reported: list[tuple[str, Any, Any]]) -> None:
    """A figure of nothing is left out."""
    report_attempt(replace(ENDED_RECORD, sent=0, verified=0, skipped=0, retried=0))
    assert [name for name, *_ in reported] == [ENDED, DURATION]


def test_a_backend_that_fails(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Metrics that cannot be reported are a line in the log."""

    def fail(*_: object, **__: object) -> None:
        raise OSError("no route to statsd")

    monkeypatch.setattr(Stats, "incr", fail)
    report_attempt(ENDED_RECORD)
    assert "no route to statsd" in caplog.text


@pytest.mark.usefixtures("reported")
def test_a_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where OpenTelemetry is in use the span that is under way gets the same figures."""
    attributes: dict[str, Any] = {}
    span = SimpleNamespace(set_attribute=attributes.__setitem__)
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", SimpleNamespace(get_current_span=lambda: span))
    report_attempt(ENDED_RECORD)
    assert attributes["oss.transfer.kind"] == "upload"
    assert [attributes[name] for name in COUNTERS] == [40, 25, 1, 1]
