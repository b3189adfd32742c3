"""A folder that Airflow can run in at once: every setting in the environment, and a database that is already migrated.

Measured with Airflow 3.3.2 on 2 cores: ``airflow db migrate`` takes 5.5 s and copying its result 3 ms, so the database
is made once for a version of Airflow and then copied.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.airflow_version import SERVER, VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

CACHE = Path(__file__).parents[2] / ".cache"
DATABASE_NAME = "airflow.db"
LOOPBACK = "127.0.0.1"

_SETTINGS = {
    "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
    "AIRFLOW__CORE__PARALLELISM": "4",
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    # No key: Variables are stored readable, so that a test can see what a task left behind.
    "AIRFLOW__CORE__FERNET_KEY": "",
    # A DAG that is written again is served again at once (default: after 30 s).
    "AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "0",
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__JOB_HEARTBEAT_SEC": "1",
    # Triggers of a triggerer that is gone are taken over within this (default: 30 s).
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "10",
    **SERVER.settings,
}


def airflow_executable() -> Path:
    """Return the ``airflow`` command of the environment that runs this Python."""
    return Path(sys.executable).parent / "airflow"


def run_beside_airflow(home: Path, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a Python program in a new process, whose Airflow is new too and lives in ``home``; it must succeed."""
    (home / "airflow.cfg").touch()
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env=airflow_environment(home, home / "dags", {}),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )


def airflow_environment(home: Path, dags_folder: Path, extra: Mapping[str, str]) -> dict[str, str]:
    """Return the environment in which Airflow lives in ``home`` alone and reads its DAGs from ``dags_folder``.

    Airflow settings of the calling environment do not get through; ``extra`` overrides everything.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    own = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags_folder),
        # Writers wait for one another this many seconds (SQLite's own default of 5 is short on a busy machine).
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / DATABASE_NAME}?timeout=30",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(home / "bundles"),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(64),
        "AIRFLOW__API__SECRET_KEY": secrets.token_urlsafe(32),
        "AIRFLOW__WEBSERVER__SECRET_KEY": secrets.token_urlsafe(32),
        # A proxy of the calling environment must not stand between Airflow's own processes.
        "NO_PROXY": f"{LOOPBACK},localhost",
        "no_proxy": f"{LOOPBACK},localhost",
    }
    return inherited | _SETTINGS | own | dict(extra)


def prepare_home(home: Path, cache: Path = CACHE) -> None:
    """Make ``home`` an Airflow home with an empty, migrated database, copied from the one kept in ``cache``.

    Raises ``FileExistsError`` when ``home`` already holds a database.
    """
    make_home(home)
    database = home / DATABASE_NAME
    if database.exists():
        raise FileExistsError(f"{home} already holds an Airflow database")
    shutil.copyfile(_template_database(cache), database)


def make_home(home: Path) -> None:
    """Make ``home`` an Airflow home without a database."""
    home.mkdir(parents=True, exist_ok=True)
    for name, text in SERVER.files.items():
        (home / name).write_text(text)


def _template_database(cache: Path) -> Path:
    """Return the migrated database for the installed Airflow, made by the first of any number of processes to ask."""
    template = cache / f"airflow-{VERSION}.db"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "airflow-database.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not template.exists():
            _migrate_into(template)
    return template


def _migrate_into(template: Path) -> None:
    """Make the template whole or not at all."""
    with tempfile.TemporaryDirectory(dir=template.parent) as folder:
        home = Path(folder)
        make_home(home)
        migrate(home, {})
        _use_write_ahead_log(home / DATABASE_NAME)
        (home / DATABASE_NAME).replace(template)


def migrate(home: Path, settings: Mapping[str, str]) -> None:
    """Make, in an Airflow home, the database that the settings name."""
    for arguments in SERVER.preparations:
        _run_airflow(home, arguments, settings)


def _run_airflow(home: Path, arguments: tuple[str, ...], settings: Mapping[str, str]) -> None:
    done = subprocess.run(
        [str(airflow_executable()), *arguments],
        env=airflow_environment(home, home, settings),
        cwd=home,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"airflow {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}")


def _use_write_ahead_log(database: Path) -> None:
    """Let readers not wait for writers (Airflow 3 does so itself), all being in the main file, which gets copied."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
