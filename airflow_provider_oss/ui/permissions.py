"""
Who may ask what: each request is answered for its user, as Airflow itself would answer it.

A transfer is shown to whoever may read the task instances and the XComs of its DAG. The modules of the app have no
postponed annotations: FastAPI must find in them what Airflow's dependencies are.
"""

from typing import Annotated, Final

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from fastapi import Depends, Query, Request

_ENTITIES: Final = (DagAccessEntity.TASK_INSTANCE, DagAccessEntity.XCOM)

_MOST_CHARS: Final = 250
_NO_NUL: Final = r"^[^\x00]*$"
"""PostgreSQL can be asked for no text that has a NUL character."""

Name = Annotated[str, Query(max_length=_MOST_CHARS, pattern=_NO_NUL)]
"""What may be the id of a run or a task."""
NameOrNone = Annotated[str | None, Query(max_length=_MOST_CHARS, pattern=_NO_NUL)]
DagId = Annotated[str, Query(min_length=1, max_length=_MOST_CHARS, pattern=_NO_NUL)]


def readable_dags(request: Request, user: GetUserDep, dag_id: NameOrNone = None) -> frozenset[str]:  # noqa: ARG001 - see below
    """
    Return the ids of the DAGs whose transfers the user may see.

    Answers 403 to those who may see none, or not those of the ``dag_id`` that the query may name. Airflow finds that
    in the request; it is an argument to be checked before.
    """
    for entity in _ENTITIES:
        requires_access_dag(method="GET", access_entity=entity)(request, user)
    return frozenset(get_auth_manager().get_authorized_dag_ids(user=user, method="GET"))


def readable_dag(request: Request, user: GetUserDep, dag_id: DagId) -> str:
    """Return the DAG's id. Answers 403 to those who may not see its transfers."""
    for entity in _ENTITIES:
        requires_access_dag(method="GET", access_entity=entity, param_dag_id=dag_id)(request, user)
    return dag_id


ReadableDags = Annotated[frozenset[str], Depends(readable_dags)]
ReadableDag = Annotated[str, Depends(readable_dag)]
