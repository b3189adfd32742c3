"""Retry policies for tests."""

from __future__ import annotations

from airflow_provider_oss.engine.retry import RetryPolicy

QUICK = RetryPolicy(tries=3, first_delay_seconds=0.001, longest_delay_seconds=0.001)
