"""What Airflow's OpenLineage provider learns of an operator, by its own extractor manager."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeAlias

import attr
from airflow.providers.openlineage.extractors.manager import ExtractorManager
from airflow.utils.state import TaskInstanceState

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator

Name: TypeAlias = tuple[str, str]
"""Namespace and name of a dataset."""


@dataclass(frozen=True)
class Lineage:
    """What it learned."""

    found: Any

    @property
    def inputs(self) -> list[Name]:
        """The names of what was read."""
        return [(each.namespace, each.name) for each in self.found.inputs]

    @property
    def outputs(self) -> list[Name]:
        """The names of what was stored."""
        return [(each.namespace, each.name) for each in self.found.outputs]

    def statistics(self, name: Name) -> dict[str, Any]:
        """Return the numbers of an output."""
        facet = attr.asdict(self._output(name).outputFacets["outputStatistics"])
        return {field: value for field, value in facet.items() if not field.startswith("_")}

    def columns(self, name: Name) -> list[tuple[str, str]]:
        """Return name and type of an output's columns."""
        facet = self._output(name).facets.get("schema")
        return [(field.name, field.type) for field in facet.fields] if facet else []

    @property
    def query(self) -> str | None:
        """The SQL of the job."""
        facet = self.found.job_facets.get("sql")
        return facet.query if facet else None

    def _output(self, name: Name) -> Any:
        [output] = [each for each in self.found.outputs if (each.namespace, each.name) == name]
        return output


def lineage_of(operator: BaseOperator, state: TaskInstanceState = TaskInstanceState.SUCCESS) -> Lineage:
    """Ask at the end of a task, or at another point of its life."""
    task_instance = SimpleNamespace(task=operator, task_id=operator.task_id, run_id="manual__1")
    manager = ExtractorManager()
    manager.get_hook_lineage = lambda *_: None  # type: ignore[method-assign]  # that of other tests: a task has a process
    found = manager.extract_metadata(
        dagrun=SimpleNamespace(run_id="manual__1"),
        task=operator,
        task_instance_state=state,
        task_instance=task_instance,
    )
    return Lineage(found)
