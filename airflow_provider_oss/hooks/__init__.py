"""Airflow hooks."""

from typing import Final

DEFAULT_CONN_ID: Final = "oss_default"
"""Here, and not in the hook, so that operators know it without loading the hook while a DAG is parsed."""
