"""A task instance in a DAG run, as far as an operator sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, BaseOperator, Context, XCom

from airflow_provider_oss.exceptions import OSSInvalidArgument
from tests.checkpoint.airflow_edge import Supervisor, connected, get_task_states, task_state_context

if TYPE_CHECKING:
    from tests.support.openlineage import Lineage

RUN_ID = "manual__1"
DATA = bytes(range(256)) * 1600

REFUSED = (OSSInvalidArgument, AirflowFailException)
"""What fails for good: an argument of a wrong type when the DAG is parsed, a wrong text in the first attempt."""

Run = Callable[..., Any]
Build = Callable[[], BaseOperator]


@dataclass
class Instance:
    """What of a task instance is used."""

    task_id: str
    map_index: int = -1
    dag_id: str = "export"
    run_id: str = RUN_ID
    try_number: int = 1
    max_tries: int = 0

    get_task_states = staticmethod(get_task_states)

    def xcom_push(self, key: str, value: Any, execution_date: None = None) -> None:  # noqa: ARG002 - Airflow 2 gives it
        """Send it to Airflow, as a task instance does."""
        XCom.set(
            key=key,
            value=value,
            dag_id=self.dag_id,
            task_id=self.task_id,
            run_id=self.run_id,
            map_index=self.map_index,
        )


@pytest.fixture
def supervisor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Supervisor]:
    """What Variable, XCom and the task state store speak to while the test runs."""
    with connected(monkeypatch, tmp_path, ("notify",)) as supervisor:
        yield supervisor


@pytest.fixture
def in_dag() -> Callable[[Build], Any]:
    """Make the operator that ``build`` returns in a DAG where the task ``notify`` follows it."""

    def make(build: Build) -> BaseOperator:
        with DAG("export", schedule=None):
            operator = build()
            operator >> BaseOperator(task_id="notify")
        return operator

    return make


@pytest.fixture
def context_of(supervisor: Supervisor) -> Callable[[BaseOperator], Context]:
    """Make the context that Airflow gives to the operator's instance in the run."""
    assert supervisor.holds_nothing()

    def make(operator: BaseOperator) -> Context:
        if supervisor.task_ids and operator.task_id not in supervisor.task_ids:
            supervisor.task_ids = (*supervisor.task_ids, operator.task_id)
        values: dict[str, Any] = {
            "ti": Instance(operator.task_id),
            "task": operator,
            "run_id": RUN_ID,
            "ds": "2026-11-21",
            "params": {"kind": "csv"},
            **task_state_context(),
        }
        return values  # type: ignore[return-value]  # of what there is, the part that is used

    return make


@pytest.fixture
def run(in_dag: Callable[[Build], Any], context_of: Callable[[BaseOperator], Context]) -> Run:
    """Make an operator in its DAG, render its templates and execute it, as a worker does; return its result."""

    def execute(build: Build) -> Any:
        operator = in_dag(build)
        context = context_of(operator)
        operator.render_template_fields(context)
        return operator.execute(context)

    return execute


@pytest.fixture
def told(in_dag: Callable[[Build], Any], context_of: Callable[[BaseOperator], Context]) -> Callable[[Build], Lineage]:
    """Run an operator as a task and return what OpenLineage's provider learns of it at its end."""
    from tests.support.openlineage import lineage_of  # noqa: PLC0415 - takes a second, and few tests need it

    def tell(build: Build) -> Lineage:
        operator = in_dag(build)
        context = context_of(operator)
        operator.render_template_fields(context)
        operator.execute(context)
        return lineage_of(operator)

    return tell


@pytest.fixture
def events_of(
    in_dag: Callable[[Build], Any], context_of: Callable[[BaseOperator], Context], supervisor: Supervisor
) -> Callable[..., Any]:
    """Run an operator as a task and return the extra of the event of each of its outlets, in their order."""

    def collect(build: Build, **given: Any) -> list[dict[str, Any]]:
        operator = in_dag(build)
        supervisor.task_ids = (operator.task_id,)  # Airflow 2 pushes the outlets as an XCom
        events = outlet_events()
        context: Any = context_of(operator) | {"outlet_events": events}
        operator.render_template_fields(context)
        for outlet in operator.outlets if given else ():
            events[outlet].extra = dict(given)
        operator.post_execute(context, operator.execute(context))
        return [events[outlet].extra for outlet in operator.outlets]

    return collect


def outlet_events() -> Any:
    """Return what Airflow has as ``outlet_events`` of a context."""
    try:
        module: Any = import_module("airflow.sdk.execution_time.context")
    except ImportError:  # Airflow 2
        module = import_module("airflow.utils.context")
    return module.OutletEventAccessors()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of 400 KiB: four parts of 100 KiB."""
    path = tmp_path / "dump.bin"
    path.write_bytes(DATA)
    return path
