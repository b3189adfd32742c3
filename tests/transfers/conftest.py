"""A task instance that runs."""

from __future__ import annotations

from tests.operators.conftest import context_of, in_dag, run, supervisor

__all__ = ["context_of", "in_dag", "run", "supervisor"]
