"""A task instance that runs."""

from __future__ import annotations

from tests.operators.conftest import context_of, file, in_dag, run, supervisor

__all__ = ["context_of", "file", "in_dag", "run", "supervisor"]
