"""A database that fails is never "nothing saved", where a task asks it itself, as in Airflow 2."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.airflow_home import airflow_environment, prepare_home

IN_DATABASE = """
import os, sqlite3
from airflow.models.variable import Variable
from sqlalchemy.exc import OperationalError
from airflow_provider_oss.checkpoint.variable import _keys_in_database

for key in ("an_there", "an_thereby", "anXthere", "other"):
    Variable.set(key, "value")
print(sorted(_keys_in_database("an_there")), _keys_in_database("nowhere"))
with sqlite3.connect(os.environ["AIRFLOW_HOME"] + "/airflow.db") as connection:
    connection.execute("DROP TABLE variable")
try:
    print(_keys_in_database("there"))
except OperationalError:
    print("raised")
"""


def test_variable_of_airflow_2(tmp_path: Path) -> None:
    """Where a task asks the database itself, as in Airflow 2, it finds keys by prefix; a database that fails raises."""
    home = tmp_path / "home"
    prepare_home(home)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", IN_DATABASE],
        env=airflow_environment(home, tmp_path, {}),
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.stdout.splitlines()[-2:] == ["['an_there', 'an_thereby'] []", "raised"], done.stderr
