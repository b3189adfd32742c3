"""How the versions of Airflow differ, as far as the harness that runs them is concerned: all of it is here.

Airflow 2.11 has a webserver with REST API v1 instead of an api-server with v2, parses DAGs in its scheduler, and lets
tasks write to its database. The task state store came with 3.3.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from packaging.version import Version

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION = version("apache-airflow")
_RELEASE = Version(VERSION).release[:2]
IS_AIRFLOW_2 = _RELEASE < (3, 0)
HAS_TASK_STATE = _RELEASE >= (3, 3)
HAS_PAGES = _RELEASE >= (3, 1)
"""Whether a plugin can add a page to the UI that is made with the UI's own React."""

FORM_FIELDS = (
    "all" if _RELEASE >= (3, 2) else "texts" if _RELEASE != (3, 0) or find_spec("flask_appbuilder") else "none"
)
"""
Which extras the connection form shows: all that the provider names; what widgets of the hook can show; or, in 3.0
without Flask-AppBuilder, none.
"""

LISTS_VARIABLES = IS_AIRFLOW_2 or HAS_TASK_STATE
"""Whether a task can list Variables, and so see that there is one whose value it is not given."""

UNSEEN_STORES = () if IS_AIRFLOW_2 else ("xcom", "task_state") if HAS_TASK_STATE else ("variable", "xcom")
"""The stores whose checkpoints of other task instances a task cannot see."""

OWN_WARNINGS = (
    ()
    if HAS_TASK_STATE
    else (
        # Providers of today make older versions warn of themselves, even while they are imported
        "ignore::DeprecationWarning:airflow[.]",
        "ignore::FutureWarning:airflow[.]",
        # The ObjectStoragePath of 2.11 and 3.1 wraps another one with an old universal_pathlib
        "ignore:in a future version of UPath:PendingDeprecationWarning",
        # What Airflow 2.11.0 is made of warns of itself, one library after the other
        *(("ignore::DeprecationWarning",) if VERSION == "2.11.0" else ()),
        # The tests that come with the lowest fsspec are of the pytest of their time
        "ignore:Class-scoped fixture defined as instance method",
        # The models of 3.1 and 3.2 ask SQLAlchemy 2.1 for what it has no more use of
        "ignore:The ..noload.. loader strategy is deprecated:DeprecationWarning",
        # The starlette of 3.0 and 3.1 still knows a class of anyio by its old name
        "ignore:The anyio[.]abc:DeprecationWarning",
    )
)
"""What older versions warn of that is not for us to mend, as pytest's ``filterwarnings`` has it; the newest may not."""

STORES = (*(("task_state",) if HAS_TASK_STATE else ()), "variable", "xcom")
"""The checkpoint stores that this Airflow can serve."""
DEFAULT_STORE = "task_state" if HAS_TASK_STATE else "variable"
"""What ``checkpoint="auto"`` means here."""


@dataclass(frozen=True, slots=True)
class Server:
    """What serves the UI and the REST API, and what runs beside it."""

    command: str
    """It takes ``--host`` or ``--hostname``, whichever ``host_option`` is, and ``--port``."""
    host_option: str
    others: Mapping[str, tuple[str, ...]]
    """The other components, as arguments of ``airflow``."""
    api_path: str
    health_paths: tuple[str, ...]
    """The first tells of the components; all must answer."""
    needed_components: tuple[str, ...]
    has_tokens: bool
    """Whether a request needs a token; without, everybody may do everything."""
    run_defaults: Mapping[str, Any]
    """What a request for a run must say beside ``conf``."""
    state_defaults: Mapping[str, Any]
    """What a request for another state must say beside the state."""
    settings: Mapping[str, str]
    files: Mapping[str, str] = field(default_factory=dict)
    """What Airflow expects in its home."""
    preparations: tuple[tuple[str, ...], ...] = (("db", "migrate"),)
    """What makes a database, as arguments of ``airflow``."""


_SCHEDULER = ("scheduler", "--skip-serve-logs")

_AIRFLOW_2 = Server(
    command="webserver",
    host_option="--hostname",
    others={"scheduler": _SCHEDULER},
    api_path="/api/v1",
    health_paths=("/api/v1/health",),
    needed_components=("metadatabase", "scheduler"),
    has_tokens=False,
    run_defaults={},
    state_defaults={"dry_run": False},  # what it does by default is nothing
    settings={
        # Airflow 2 refuses SQLite for more than one task at a time, for want of WAL, which the database here has.
        "_AIRFLOW__SKIP_DATABASE_EXECUTOR_COMPATIBILITY_CHECK": "1",
        "AIRFLOW__API__AUTH_BACKENDS": "airflow.api.auth.backend.default",
        "AIRFLOW__WEBSERVER__WORKERS": "1",
        "AIRFLOW__FAB__UPDATE_FAB_PERMS": "False",  # it takes longer than all the rest of the start
        "AIRFLOW__WEBSERVER__WEB_SERVER_MASTER_TIMEOUT": "300",
        "GUNICORN_CMD_ARGS": "--no-control-socket",  # it would be in HOME
        # A task that ends would schedule those behind it beside the scheduler. SQLite has no row locks: scheduled by
        # both, the first attempt never runs and the second comes instead (seen).
        "AIRFLOW__SCHEDULER__SCHEDULE_AFTER_TASK_EXECUTION": "False",
        "AIRFLOW__SCHEDULER__DAG_DIR_LIST_INTERVAL": "1",
        "AIRFLOW__SCHEDULER__PARSING_PROCESSES": "1",
        "AIRFLOW__SCHEDULER__MIN_FILE_PROCESS_INTERVAL": "300",
        "AIRFLOW__SCHEDULER__PRINT_STATS_INTERVAL": "0",
        "AIRFLOW__SCHEDULER__LOCAL_TASK_JOB_HEARTBEAT_SEC": "1",
        "AIRFLOW__SCHEDULER__SCHEDULER_ZOMBIE_TASK_THRESHOLD": "10",
        "AIRFLOW__SCHEDULER__ZOMBIE_DETECTION_INTERVAL": "1",
        # A task that is told to end is killed after this (default: 60 s).
        "AIRFLOW__CORE__KILLED_TASK_CLEANUP_TIME": "5",
    },
    files={"airflow.cfg": "", "webserver_config.py": 'AUTH_ROLE_PUBLIC = "Admin"\n'},
    preparations=(("db", "migrate"), ("sync-perm",)),
)

_AIRFLOW_3 = Server(
    command="api-server",
    host_option="--host",
    others={"scheduler": _SCHEDULER, "dag-processor": ("dag-processor",)},
    api_path="/api/v2",
    # Asking the execution API also warms it up, which makes the first task start in 1 s instead of 5 (measured).
    health_paths=("/api/v2/monitor/health", "/execution/health"),
    needed_components=("metadatabase", "scheduler", "dag_processor"),
    has_tokens=True,
    run_defaults={"logical_date": None},
    state_defaults={},
    settings={
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "1",
        "AIRFLOW__DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "1",
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        # Files are parsed when they change; parsing unchanged ones again only takes CPU from the test.
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "300",
        # Airflow 3.0 withdraws a DAG whose file was read for a callback so much later than it was parsed.
        "AIRFLOW__DAG_PROCESSOR__STALE_DAG_THRESHOLD": "600",
        "AIRFLOW__DAG_PROCESSOR__PRINT_STATS_INTERVAL": "0",
        # A worker that died is noticed within this and one interval (defaults: 300 s and 10 s).
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "10",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "1",
        # A task learns at its next heartbeat that it was marked failed (default: within 5 s).
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
        # Answers are slow while Airflow warms up on a busy machine, and a request to start a task that the worker
        # gives up on and repeats is answered "already running", which fails the task (default: 5 s).
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "30",
        # A killed task whose own children still hold its log sockets is given up after this (default: 60 s).
        "AIRFLOW__WORKERS__SOCKET_CLEANUP_TIMEOUT": "3",
        "AIRFLOW__API__WORKERS": "1",
    },
    # Without one, each component that starts writes its own over the others'.
    files={"airflow.cfg": ""},
)

SERVER = _AIRFLOW_2 if IS_AIRFLOW_2 else _AIRFLOW_3
RETRIES_KILLED_TASKS = _RELEASE != (3, 0)
"""
Whether a task is retried whose process was killed.

Airflow 3.0 fails it for good (apache/airflow#55753) and retries it only when its whole worker has died.
"""
KILLED = () if not RETRIES_KILLED_TASKS else ("return code -9",) if IS_AIRFLOW_2 else ("SIGKILL",)
"""What the log of an attempt says that was ended by that signal: nothing where its worker has died with it."""
DEBUG_LINE = "DEBUG - " if IS_AIRFLOW_2 else '"level":"debug"'
"""What is in every line that a task logs at that level."""
SERVED_DAG = "dag.is_active" if IS_AIRFLOW_2 else "NOT dag.is_stale"
"""The condition, in SQL, for a DAG that was not withdrawn."""


def let_thread_execute() -> None:
    """Let operators be executed in this thread: Airflow 2 can tell of its main one alone whether they may."""
    if IS_AIRFLOW_2:
        from airflow.models.baseoperator import ExecutorSafeguard  # type: ignore[import-not-found]  # noqa: PLC0415

        ExecutorSafeguard._sentinel.callers = {}
