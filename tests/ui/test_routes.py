"""The app in a real Airflow, asked by users of several roles and by nobody."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import pytest
from fastapi.routing import APIRoute

from airflow_provider_oss.ui.app import make_app
from tests.support.airflow_home import DATABASE_NAME
from tests.support.airflow_users import NARROW_DAG, AirflowWithUsers
from tests.ui.rows import RECORD, Rows

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("ui-routes")]

OTHER_DAG: Final = "other_dag"
QUERIES: Final[Mapping[str, Mapping[str, Any]]] = {
    "/api/transfers": {},
    "/api/transfer": {"dag_id": NARROW_DAG, "run_id": "run", "task_id": "upload"},
    "/api/forgotten": {},
    "/static/{path:path}": {},
}
"""What each route of the app is asked with."""

SCRIPT: Final = "/static/transfers.js"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who asks the app: a user with a token, in a header or in the cookie that browsers send, or nobody."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def get(self, path: str, headers: Mapping[str, str] | None = None, **query: Any) -> httpx.Response:
        """Ask the app."""
        return self.get_of_airflow(f"/oss-transfers{path.replace('{path:path}', 'transfers.js')}", headers, **query)

    def get_of_airflow(self, path: str, headers: Mapping[str, str] | None = None, **query: Any) -> httpx.Response:
        """Ask Airflow."""
        all_headers = {**self.headers, **(headers or {})}
        return httpx.get(f"{self.url}{path}", headers=all_headers, params=query, timeout=30, trust_env=False)

    def status(self, path: str, **query: Any) -> int:
        """Return the status of the app's answer."""
        return self.get(path, **query).status_code


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowWithUsers]:
    """The server, whose database has a transfer of each of two DAGs."""
    folder = tmp_path_factory.mktemp("airflow")
    with AirflowWithUsers(folder / "home", folder / "dags", only_server=True) as airflow:
        with Rows(airflow.home / DATABASE_NAME) as rows:
            for dag_id in (NARROW_DAG, OTHER_DAG):
                rows.xcom(rows.transfer(dag_id), "oss_transfer", RECORD)
            rows.commit()
        yield airflow


@pytest.fixture(scope="module")
def visitors(airflow: AirflowWithUsers) -> Mapping[str, Visitor]:
    """Those who ask, by name."""
    names = ("admin", "user", "viewer", "narrow", "nobody")
    tokens = {name: {"Authorization": f"Bearer {airflow.token(name)}"} for name in names}
    browser = {"Cookie": f"_token={airflow.token('viewer')}"}
    headers = {**tokens, "browser": browser, "forger": {"Authorization": "Bearer e30.e30.e30"}}
    return {"anonymous": Visitor(airflow.url), **{name: Visitor(airflow.url, one) for name, one in headers.items()}}


def test_every_route_is_asked() -> None:
    """A route that is added is tested: no other answers, and none changes anything."""
    routes = {route.path: route.methods for route in make_app().routes if isinstance(route, APIRoute)}
    assert set(routes) == {route.path for route in make_app().routes if hasattr(route, "path")} == set(QUERIES)
    assert {method for methods in routes.values() for method in methods} == {"GET"}


@pytest.mark.parametrize("path", QUERIES)
def test_an_anonymous_request_is_refused(visitors: Mapping[str, Visitor], path: str) -> None:
    """Whatever else is wrong with it: nothing is said of what there is."""
    assert visitors["anonymous"].status(path, **QUERIES[path]) == 401
    assert visitors["anonymous"].status(path, limit="many") == 401
    assert visitors["forger"].status(path, **QUERIES[path]) == 403


@pytest.mark.parametrize("path", [path for path in QUERIES if path.startswith("/api")])
def test_who_may(visitors: Mapping[str, Visitor], path: str) -> None:
    """Every role may see transfers; a user without a role may not. A browser sends its cookie."""
    answers = {name: one.status(path, **QUERIES[path]) for name, one in visitors.items() if name != "forger"}
    allowed = dict.fromkeys(("admin", "user", "viewer", "narrow", "browser"), 200)
    assert answers == {"anonymous": 401, "nobody": 403, **allowed}


def test_a_dag_that_a_user_may_not_read(visitors: Mapping[str, Visitor]) -> None:
    """It is neither listed nor shown, nor does its id lead to another answer than that of one which is not there."""
    everything = visitors["viewer"].get("/api/transfers").json()
    assert {one["dag_id"] for one in everything["transfers"]} == {NARROW_DAG, OTHER_DAG}
    listed = visitors["narrow"].get("/api/transfers").json()
    assert [one["dag_id"] for one in listed["transfers"]] == [NARROW_DAG]
    assert (listed["total"], OTHER_DAG in json.dumps(listed)) == (1, False)

    for dag_id in (OTHER_DAG, "no_such_dag"):
        asked = {"dag_id": dag_id, "run_id": "run", "task_id": "upload"}
        assert visitors["narrow"].status("/api/transfer", **asked) == 403
        assert visitors["narrow"].status("/api/transfers", dag_id=dag_id) == 403
    assert visitors["narrow"].get("/api/transfer", **QUERIES["/api/transfer"]).json()["transfer"]["record"] == RECORD


def test_what_is_not_there(visitors: Mapping[str, Visitor]) -> None:
    """A task that is not there, or without a transfer, is not found; a question that makes no sense is refused."""
    viewer = visitors["viewer"]
    assert viewer.status("/api/transfer", dag_id="no_such_dag", run_id="run", task_id="upload") == 404
    for query in ({}, {"dag_id": ""}, {"dag_id": NARROW_DAG, "run_id": "run"}):
        assert viewer.status("/api/transfer", **query) == 422
    for name, value in (("limit", 0), ("limit", 10_000), ("offset", -1)):
        assert viewer.status("/api/transfers", **{name: value}) == 422


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/api/transfers", {"offset": 10**30}),
        ("/api/transfers", {"dag_id": "a\0b"}),
        ("/api/transfers", {"state": "a\0b"}),
        ("/api/transfer", {"dag_id": "a\0b", "run_id": "run", "task_id": "upload"}),
        ("/api/transfer", {"dag_id": NARROW_DAG, "run_id": "a\0b", "task_id": "upload"}),
        ("/api/transfer", {"dag_id": NARROW_DAG, "run_id": "run", "task_id": "a\0b"}),
        ("/api/transfer", {"dag_id": NARROW_DAG, "run_id": "run", "task_id": "upload", "map_index": "1e9"}),
    ],
)
def test_what_no_database_can_be_asked(visitors: Mapping[str, Visitor], path: str, query: Mapping[str, Any]) -> None:
    """Numbers beyond any, and NUL characters, which PostgreSQL does not take, are refused before it is asked."""
    assert visitors["viewer"].status(path, **query) == 422


def test_odd_names(visitors: Mapping[str, Visitor]) -> None:
    """A name may hold what separates the parts of an address; a wildcard of Airflow's own API is none here."""
    viewer = visitors["viewer"]
    run = {"run_id": "manual__2026-11-30T18:00:00+00:00/a b&c", "task_id": "group.upload"}
    for dag_id in (NARROW_DAG, "~", "%"):
        assert viewer.status("/api/transfer", dag_id=dag_id, **run) == 404
        assert visitors["narrow"].get("/api/transfers", dag_id="~").json()["transfers"] == []
    both = {"dag_id": [NARROW_DAG, OTHER_DAG], "run_id": "run", "task_id": "upload"}
    assert visitors["narrow"].status("/api/transfer", **both) == 403


def test_filters_and_pages(visitors: Mapping[str, Visitor]) -> None:
    """The list is narrowed and cut as its query says; nobody keeps an answer."""
    answer = visitors["viewer"].get("/api/transfers", dag_id=OTHER_DAG, state="running", limit=1)
    assert [one["dag_id"] for one in answer.json()["transfers"]] == [OTHER_DAG]
    assert answer.headers["Cache-Control"] == "no-store"
    assert visitors["viewer"].get("/api/transfers", state="failed").json()["transfers"] == []
    assert visitors["viewer"].get("/api/transfers", offset=2).json()["transfers"] == []


def test_the_files_of_the_page(visitors: Mapping[str, Visitor]) -> None:
    """Whoever has logged in gets them, and again only when they have changed; nothing else can be read there."""
    answer = visitors["nobody"].get(SCRIPT)
    assert (answer.status_code, "javascript" in answer.headers["Content-Type"]) == (200, True)
    assert answer.headers["Cache-Control"] == "no-cache"
    cached = visitors["viewer"].get(SCRIPT, {"If-None-Match": answer.headers["ETag"]})
    assert cached.status_code == 304
    for path in ("/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static//etc/passwd", "/static/", "/static/none.js"):
        assert visitors["viewer"].status(path) == 404, path


def test_nothing_describes_the_app(visitors: Mapping[str, Visitor]) -> None:
    """FastAPI's own pages would be open to anybody."""
    for path in ("/docs", "/redoc", "/openapi.json", "/docs/oauth2-redirect", "/"):
        assert {one.status(path) for one in visitors.values()} <= {404, 401}, path


def test_the_ui_is_told_of_the_page(visitors: Mapping[str, Visitor]) -> None:
    """Airflow has loaded the plugin by its entry point, and offers the page to a viewer."""
    plugins = visitors["viewer"].get_of_airflow("/api/v2/plugins", limit=100).json()["plugins"]
    [ours] = [one for one in plugins if one["name"] == "oss_transfers"]
    [page] = ours["react_apps"]
    assert (page["name"], page["url_route"], page["destination"]) == ("OSS transfers", "oss-transfers", "nav")
    assert page["bundle_url"].startswith("data:text/javascript,")
