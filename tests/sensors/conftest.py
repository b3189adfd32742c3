"""A task instance in a DAG run, and a hook to say what is there."""

from tests.hooks.conftest import hook, make_hook
from tests.operators.conftest import context_of, in_dag, run, supervisor

__all__ = ["context_of", "hook", "in_dag", "make_hook", "run", "supervisor"]
