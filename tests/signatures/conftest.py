"""The types that checkers read are those of the newest Airflow."""

from __future__ import annotations

from tests.support.airflow_version import HAS_TASK_STATE

collect_ignore = [] if HAS_TASK_STATE else ["test_checkers.py"]
