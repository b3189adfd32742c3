"""What a user does in Airflow's UI, done through the REST API: v2 with a token of the open auth manager, or v1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

from tests.support.airflow_version import IS_AIRFLOW_2, SERVER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType
    from typing import Literal, Self

_TIMEOUT_SECONDS = 30.0


class AirflowApi:
    """Speaks to one api-server; close it by leaving the ``with`` block. Any answer but 2xx raises ``RuntimeError``."""

    def __init__(self, base_url: str) -> None:
        # trust_env: a proxy of the calling environment must not stand between the harness and its own server.
        self._client = httpx.Client(base_url=base_url, timeout=_TIMEOUT_SECONDS, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def unhealthy(self, needed: Sequence[str] = SERVER.needed_components) -> list[str]:
        """Return the needed components that are not up yet; the server itself is the first to be missed."""
        try:
            health, *_ = [_checked(self._client.get(path)) for path in SERVER.health_paths]
        except (httpx.TransportError, RuntimeError):  # it may answer 500 while it starts
            return [SERVER.command]
        return [name for name in needed if health[name]["status"] != "healthy"]

    def add_connection(self, conn_id: str, fields: Mapping[str, Any]) -> None:
        """Add a connection; ``fields`` as the API names them, ``extra`` as JSON text."""
        self._request("POST", "/connections", {"connection_id": conn_id, **fields})

    def unpause(self, dag_id: str) -> None:
        """Let the DAG run."""
        self._request("PATCH", f"/dags/{dag_id}", {"is_paused": False})

    def pause(self, dag_id: str) -> None:
        """Let the DAG start no more runs."""
        self._request("PATCH", f"/dags/{dag_id}", {"is_paused": True})

    def trigger(self, dag_id: str, conf: Mapping[str, Any], run_id: str | None) -> str:
        """Start a run and return its id, which Airflow makes up when ``run_id`` is None."""
        body = {"conf": dict(conf), **SERVER.run_defaults} | ({"dag_run_id": run_id} if run_id else {})
        return str(self._request("POST", f"/dags/{dag_id}/dagRuns", body)["dag_run_id"])

    def set_task_state(
        self, dag_id: str, run_id: str, task_id: str, state: Literal["success", "failed", "skipped"], map_index: int
    ) -> None:
        """Mark the task instance as the user does: a running one is then terminated by its supervisor."""
        one = f"/{map_index}" if map_index >= 0 else ""
        body = {"new_state": state, **SERVER.state_defaults}
        self._request("PATCH", f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}{one}", body)

    def clear(self, dag_id: str, run_id: str, task_id: str, map_index: int, *, downstream: bool = False) -> None:
        """
        Clear the task instance, whatever its state, and set its run going again; what follows it, too, if asked.

        Airflow 2's API clears all instances of a mapped task.
        """
        one = [task_id, map_index] if map_index >= 0 and not IS_AIRFLOW_2 else task_id
        body = {
            "dry_run": False,
            "only_failed": False,
            "include_downstream": downstream,
            "task_ids": [one],
            "dag_run_id": run_id,
            "reset_dag_runs": True,
        }
        self._request("POST", f"/dags/{dag_id}/clearTaskInstances", body)

    def extra_links(self, dag_id: str, run_id: str, task_id: str, map_index: int) -> dict[str, str | None]:
        """Return the address behind each extra link of the task instance; None where there is none."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/links?map_index={map_index}"
        answer = self._request("GET", path, None)
        links: dict[str, str | None] = answer.get("extra_links", answer)  # v1 answers with the links alone
        return links

    def log_in(self) -> None:
        """Get a token for the requests that follow, where they need one."""
        if not SERVER.has_tokens:
            return
        self.use_token(_checked(self._client.get("/auth/token"))["access_token"])

    def use_token(self, token: str) -> None:
        """Let the requests that follow be those of a user who has logged in."""
        self._client.headers["Authorization"] = f"Bearer {token}"

    def _request(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        return _checked(self._client.request(method, f"{SERVER.api_path}{path}", json=body))


def _checked(response: httpx.Response) -> dict[str, Any]:
    if not response.is_success:
        request = response.request
        raise RuntimeError(f"{request.method} {request.url.path} answered {response.status_code}: {response.text}")
    answer: dict[str, Any] = response.json()
    return answer
