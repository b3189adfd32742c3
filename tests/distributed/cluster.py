"""A distributed Airflow on this machine: CeleryExecutor on PostgreSQL and Redis, and Celery workers as nodes.

A node is one worker with the tasks that it runs: it has a hostname, a queue of its own name beside the default one, and
its own folders for logs and temporary files. All components are on this machine, so what a node cannot do here is see
another file system, or lose its network.
Measured with Airflow 3.3.2 on 2 cores: 45 s until both nodes take tasks, 10 s until one is there again; 3 GB of memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.distributed.hostname import VARIABLE
from tests.distributed.hostname import node as hostname_of_node
from tests.distributed.metadata import PostgresMetadata
from tests.support.airflow_home import make_home, migrate
from tests.support.airflow_processes import Component
from tests.support.local_airflow import START_TIMEOUT_SECONDS, LocalAirflow
from tests.support.postgres import running_postgres
from tests.support.redis_server import running_redis
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from contextlib import ExitStack
    from pathlib import Path

NODES: Final = ("node-a", "node-b")
HEARTBEAT_TIMEOUT_SECONDS: Final = 20
"""A task whose heartbeats are missing for so long is taken for dead (Airflow's default: 300)."""

_SETTINGS: Final = {
    "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
    "AIRFLOW__CORE__PARALLELISM": "32",
    "AIRFLOW__CORE__HOSTNAME_CALLABLE": f"{hostname_of_node.__module__}.{hostname_of_node.__name__}",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": str(HEARTBEAT_TIMEOUT_SECONDS),
    # Airflow's default: a task outlives an API server that is away for three of them
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "5",
}


class DistributedAirflow(LocalAirflow):
    """A ``LocalAirflow`` whose tasks run on nodes; ``slots`` is how many each takes at a time."""

    def __init__(
        self,
        home: Path,
        dags_folder: Path,
        env: Mapping[str, str] | None = None,
        *,
        nodes: Sequence[str] = NODES,
        slots: int = 4,
    ) -> None:
        super().__init__(home, dags_folder, env)
        self.nodes = tuple(nodes)
        self._slots = slots

    def _prepare(self, stack: ExitStack) -> dict[str, str]:
        make_home(self.home)
        database = stack.enter_context(running_postgres(max_connections="200"))
        self.database = PostgresMetadata(database.folder, database)
        settings = _SETTINGS | {
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database.url("psycopg2"),
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{database.url('psycopg2')}",
            "AIRFLOW__CELERY__BROKER_URL": stack.enter_context(running_redis()),
        }
        migrate(self.home, settings)
        return settings

    def _start_others(self) -> None:
        super()._start_others()
        self.start_triggerer()
        for name in self.nodes:
            self.start_node(name)

    def wait_for_nodes(self) -> None:
        """Wait until every node that was started takes tasks."""

        def look() -> bool | None:
            self._processes.check_alive()
            return True if all(map(_is_ready, self._started())) else None

        wait_until(look, START_TIMEOUT_SECONDS, "the nodes to take tasks", self._processes.tails)

    def start_missing_nodes(self) -> None:
        """Start the nodes that are gone, and wait until all take tasks."""
        for name in set(self.nodes) - {component.name for component in self._started()}:
            self.start_node(name)
        self.wait_for_nodes()

    def add_nodes(self, names: Iterable[str]) -> None:
        """Start more nodes, and wait until all take tasks."""
        self.nodes = (*self.nodes, *names)
        self.start_missing_nodes()

    def start_node(self, name: str) -> None:
        """Start a node."""
        folder = self._folder(name)
        for part in ("logs", "tmp"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        arguments = [
            "celery", "worker", "--celery-hostname", name, "--queues", f"default,{name}",
            "--concurrency", str(self._slots), "--pid", str(folder / "pid"), "--skip-serve-logs",
        ]  # fmt: skip
        variables = {
            VARIABLE: name,
            "TMPDIR": str(folder / "tmp"),
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(folder / "logs"),
        }
        self._processes.start(name, arguments, variables)

    def kill_node(self, name: str) -> None:
        """Kill it with its tasks, as when its machine dies: nobody reports their deaths."""
        self._processes.kill(self._node(name))

    def freeze_node(self, name: str) -> None:
        """Stop it with its tasks, as when its machine hangs."""
        self._processes.freeze(self._node(name))

    def wake_node(self, name: str) -> None:
        """Let it and its tasks go on."""
        self._processes.wake(self._node(name))

    def shut_down_node(self, name: str) -> Component:
        """Tell it to end when its tasks have; until then it takes no others. Return it: to wait for its end."""
        node = self._node(name)
        self._processes.leave(node)
        return node

    def node_of(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> str:
        """Return the node of the latest attempt of the task."""
        return str(self.attempts(dag_id, run_id, task_id, map_index)[-1].hostname)

    def other_node(self, name: str) -> str:
        """Return the node, of two, that this is not."""
        [other] = set(self.nodes) - {name}
        return other

    def _node(self, name: str) -> Component:
        [node] = self._processes.named(name)
        return node

    def _started(self) -> list[Component]:
        return [component for name in self.nodes for component in self._processes.named(name)]

    def _log_folders(self) -> list[Path]:
        return [*(self._folder(name) / "logs" for name in self.nodes), *super()._log_folders()]

    def _folder(self, name: str) -> Path:
        return self.home / "nodes" / name


def _is_ready(node: Component) -> bool:
    return f"celery@{node.name} ready." in node.log.read_text(errors="replace")
