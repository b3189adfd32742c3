"""
What constructing our operators takes, beside classes that are as little as Airflow allows.

Such a class is derived from ``BaseOperator`` alone. It has the arguments, defaults and template fields of ours, and is
made of ours by ``bare``, so that it has whatever argument ours have.
"""

from __future__ import annotations

import gc
import inspect
import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from benchmarks.tasks.dag_files import OURS

if TYPE_CHECKING:
    from types import CodeType

Work = Callable[[], dict[str, Any]]

_TASKS: Final = 60
_ROUNDS: Final = 20
_OF_AIRFLOW: Final = "from airflow.providers.common.compat.sdk import DAG, BaseOperator, BaseOperatorLink"


def importing() -> Work:
    """Import what a DAG file does. What that takes of Airflow is there by then, as in the dag-processor."""
    exec(_OF_AIRFLOW, {})  # noqa: S102 - as the first line of the file would

    def work() -> dict[str, Any]:
        exec(OURS.imports, {})  # noqa: S102 - the second
        return {}

    return work


def constructing() -> Work:
    """Construct the tasks of a DAG file, with our operators and with bare ones in turn; find microseconds of CPU."""
    names: dict[str, Any] = {}
    exec(OURS.imports, names)  # noqa: S102 - as the DAG file does
    ours = {name: value for name, value in names.items() if isinstance(value, type)}
    theirs = {name: bare(value) for name, value in ours.items()}
    calls = [OURS.tasks[number % len(OURS.tasks)].format(task_id=f"task_{number}") for number in range(_TASKS)]
    code = compile("\n".join(calls), "<DAG file>", "exec")

    def work() -> dict[str, Any]:
        rounds = [(_seconds(code, ours), _seconds(code, theirs)) for _ in range(_ROUNDS + 1)][1:]
        per_task = [1e6 * median(times) / _TASKS for times in zip(*rounds, strict=True)]
        return {"ours_us": per_task[0], "bare_us": per_task[1], "ratio": median(mine / its for mine, its in rounds)}

    return work


def bare(operator: type[Any]) -> type[Any]:
    """Return a class with the operator's arguments, defaults and template fields, derived from Airflow's alone."""
    base = next(cls for cls in operator.__mro__ if cls.__module__.startswith("airflow."))
    arguments = dict(_arguments(operator, base))
    defaults = {name: value for name, value in arguments.items() if value is not inspect.Parameter.empty}
    signature = ", ".join(f"{name}=_defaults[{name!r}]" if name in defaults else name for name in arguments)
    lines = [
        f"class {operator.__name__}(_base):",
        f"    template_fields = {tuple(operator.template_fields)!r}",
        f"    def __init__(self, *, {signature}, **kwargs):",
        "        super().__init__(**kwargs)",
        *(f"        self.{name} = {name}" for name in arguments),
    ]
    names: dict[str, Any] = {"_base": base, "_defaults": defaults, "__name__": __name__}
    exec("\n".join(lines), names)  # noqa: S102 - the text above
    made: type[Any] = names[operator.__name__]
    return made


def _arguments(operator: type[Any], base: type[Any]) -> Iterator[tuple[str, Any]]:
    """Yield names and defaults of the named arguments of the operator's constructors, down to Airflow's."""
    for cls in operator.__mro__[: operator.__mro__.index(base)]:
        if "__init__" in vars(cls):
            for parameter in inspect.signature(vars(cls)["__init__"]).parameters.values():
                if parameter.kind is parameter.KEYWORD_ONLY:
                    yield parameter.name, parameter.default


def _seconds(code: CodeType, operators: dict[str, Any]) -> float:
    """Return the CPU time that the tasks of one DAG take."""
    from airflow.providers.common.compat.sdk import DAG

    gc.collect()
    gc.disable()
    try:
        with DAG("export", schedule=None):
            began = time.process_time()
            exec(code, dict(operators))  # noqa: S102 - made above
            return time.process_time() - began
    finally:
        gc.enable()
