"""DAG files with every argument of every operator, written for a type checker: as they may be, and as they may not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from airflow.providers.common.compat.sdk import BaseOperator, BaseSensorOperator

from tests.signatures.declared_keywords import Given, fields, inherited, own
from tests.support.discovery import operators

HEAD: Final = """
from datetime import UTC, datetime, timedelta
from typing import Any
from airflow.providers.common.compat.sdk import DAG, BaseOperator, Context, TaskGroup
{imports}

def tell(*_: Any) -> None: ...
def warn(context: Context) -> None: ...

dag = DAG("every", schedule=None)
other = BaseOperator(task_id="other")
"""
VALUES: Final = {
    "bool": "True",
    "int": "5",
    "bool | None": "True",
    "ProgressCallback | None": "tell",
    "Callable[[list[FoundObject]], Any] | None": "tell",
    "Callable[..., Any]": "tell",
    "Callable[..., Any] | None": "tell",
    "Collection[Any] | None": "[1]",
    "Mapping[str, Any] | None": "{'a': 1}",
}
"""Of each type that has no templates, something that may be given."""
OF_AIRFLOW: Final = {
    **dict.fromkeys(("owner", "queue", "pool", "run_as_user", "map_index_template", "executor", "mode"), "'a'"),
    **dict.fromkeys(("doc", "doc_md", "doc_json", "doc_yaml", "doc_rst", "task_display_name", "logger_name"), "'a'"),
    **dict.fromkeys(("retry_delay", "max_retry_delay", "execution_timeout", "sla", "max_wait"), "timedelta(hours=1)"),
    **dict.fromkeys(("poke_interval", "timeout"), "60"),
    **dict.fromkeys(("start_date", "end_date"), "datetime(2026, 1, 1, tzinfo=UTC)"),
    **dict.fromkeys(("retries", "priority_weight", "pool_slots", "task_concurrency"), "5"),
    **dict.fromkeys(("max_active_tis_per_dag", "max_active_tis_per_dagrun", "retry_exponential_backoff"), "5"),
    **dict.fromkeys(("email_on_retry", "email_on_failure", "depends_on_past", "wait_for_downstream"), "True"),
    **dict.fromkeys(("ignore_first_depends_on_past", "wait_for_past_depends_before_skipping", "do_xcom_push"), "True"),
    **dict.fromkeys(("multiple_outputs", "allow_nested_operators", "render_template_as_native_obj"), "True"),
    **dict.fromkeys(("soft_fail", "exponential_backoff", "silent_fail", "never_fail"), "True"),
    **dict.fromkeys(("params", "default_args", "resources", "executor_config"), "{'a': 1}"),
    **dict.fromkeys(("inlets", "outlets"), "['a']"),
    **dict.fromkeys(("on_execute_callback", "on_success_callback", "on_skipped_callback", "pre_execute"), "warn"),
    **dict.fromkeys(("on_failure_callback", "on_retry_callback"), "[warn, warn]"),
    "post_execute": "tell",
    "email": "['a@b']",
    "retry_policy": "None",
    "dag": "dag",
    "weight_rule": "'absolute'",
    "trigger_rule": "'all_done'",
    "task_group": "TaskGroup('a', dag=dag)",
}


def right() -> str:
    """Return a file in which every operator is given everything: where there are templates, a task's result."""
    lines = [_call(kind, {**_given(kind), **_of_airflow(kind)}) for kind in operators().values()]
    return "\n".join([_head(), *lines, ""])


def wrong() -> str:
    """Return a file whose every call misses what must be given, misspells something, or gives what nothing takes."""
    lines = [f"{line}  # wrong" for kind in operators().values() for line in _wrong_calls(kind)]
    return "\n".join([_head(), *lines, ""])


def _head() -> str:
    imports = [f"from {kind.__module__} import {name}" for name, kind in operators().items()]
    return HEAD.format(imports="\n".join(imports))


def _arguments(kind: type[BaseOperator]) -> dict[str, Given]:
    first = next(cls for cls in kind.__mro__ if "__init__" in vars(cls))
    return {**inherited(first), **own(first)}


def _given(kind: type[BaseOperator]) -> dict[str, str]:
    return {
        name: "other.output" if "XComArg" in given.annotation else VALUES[given.annotation]
        for name, given in _arguments(kind).items()
    }


def _of_airflow(kind: type[BaseOperator]) -> dict[str, str]:
    names = [
        *fields("AirflowOptions"),
        *(fields("AirflowSensorOptions") if issubclass(kind, BaseSensorOperator) else ()),
    ]
    return {name: OF_AIRFLOW[name] for name in names}


def _wrong_calls(kind: type[BaseOperator]) -> Iterator[str]:
    arguments, values = _arguments(kind), _given(kind)
    needed = {name: values[name] for name, given in arguments.items() if given.is_required}
    yield _call(kind, needed, task_id=None)
    for name in needed:
        yield _call(kind, {one: value for one, value in needed.items() if one != name})
    for name in arguments:
        yield _call(kind, {**needed, name: "object()"})
        yield _call(kind, {**needed, f"{name}_": values[name]})


def _call(kind: type[BaseOperator], arguments: dict[str, str], task_id: Any = "'task'") -> str:
    given = arguments if task_id is None else {"task_id": task_id, **arguments}
    return f"{kind.__name__}({', '.join(f'{name}={value}' for name, value in given.items())})"
