"""
The routes of the app. Each asks first who the user is: 401 to nobody; 403 to those who may not see what they ask for.

No route changes anything. Answers are JSON that is not to be kept, but for the page's own files.
"""

from pathlib import Path
from typing import Annotated, Any, Final

from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import get_user
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles

from airflow_provider_oss.ui.forgotten import latest_findings
from airflow_provider_oss.ui.permissions import Name, NameOrNone, ReadableDag, ReadableDags
from airflow_provider_oss.ui.transfers import Task, TransferQuery, list_transfers, one_transfer

_STATIC: Final = Path(__file__).parent / "static"
_MOST_IN_A_PAGE: Final = 200
_LAST_OFFSET: Final = 2**31 - 1

router = APIRouter()
_files = StaticFiles(directory=_STATIC)


def make_app() -> FastAPI:
    """Return the app, without pages that describe it: they would be open to anybody."""
    app = FastAPI(
        title="OSS transfers", openapi_url=None, docs_url=None, redoc_url=None, dependencies=[Depends(get_user)]
    )
    app.include_router(router)
    return app


@router.get("/api/transfers")
def transfers(
    readable: ReadableDags,
    session: SessionDep,
    dag_id: NameOrNone = None,
    state: NameOrNone = None,
    limit: Annotated[int, Query(ge=1, le=_MOST_IN_A_PAGE)] = 50,
    offset: Annotated[int, Query(ge=0, le=_LAST_OFFSET)] = 0,
) -> Response:
    """Return a page of the transfers that the user may see: running ones first, then the newest."""
    return _answer(list_transfers(session, TransferQuery(readable, dag_id, state, limit, offset)))


@router.get("/api/transfer")
def transfer(
    dag_id: ReadableDag, run_id: Name, task_id: Name, session: SessionDep, map_index: int | None = None
) -> Response:
    """Return the transfer of one task instance, with those of the other instances when the task is mapped."""
    found = one_transfer(session, Task(dag_id, run_id, task_id), map_index)
    if found is None:
        raise HTTPException(404, "Airflow has no such task instance with a transfer")
    return _answer(found)


@router.get("/api/forgotten")
def forgotten(readable: ReadableDags, session: SessionDep) -> Response:
    """Return what the tasks that look for forgotten uploads found last."""
    return _answer(latest_findings(session, readable))


@router.get("/static/{path:path}")
async def static(path: str, request: Request) -> Response:
    """Return a file of the page. Browsers ask each time whether it has changed."""
    response = await _files.get_response(path, request.scope)
    response.headers.update({"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"})
    return response


def _answer(content: dict[str, Any]) -> Response:
    return JSONResponse(content, headers={"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"})
