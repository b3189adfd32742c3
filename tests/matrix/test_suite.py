"""What a row's run has started ends with it."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid

import psutil

from tests.matrix.suite import MARK, kill_started
from tests.support.airflow_processes import is_running

STARTS_TWO = """
import os, subprocess, sys, time
nameless = "import time, setproctitle; setproctitle.setproctitle('t' * 9999); print(flush=True); time.sleep(600)"
for is_elsewhere, code in ((False, nameless), (True, "import time; print(flush=True); time.sleep(600)")):
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=is_elsewhere)
    child.stdout.readline()
    print(child.pid, flush=True)
"""
"""One process that has lost its environment, in the session, and one in a session of its own; their parent ends."""


def test_processes_of_the_session_and_marked_ones_are_killed() -> None:
    """Neither a title over the environment nor another session, nor a parent that has ended, lets one live on."""
    mark = uuid.uuid4().hex
    with subprocess.Popen(
        [sys.executable, "-c", STARTS_TWO],
        env={**os.environ, MARK: mark},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as parent:
        assert parent.stdout is not None
        started = [psutil.Process(int(line)) for line in parent.stdout]
    assert len(started) == 2
    assert MARK not in started[0].environ()
    kill_started(parent.pid, mark)
    assert [process for process in started if is_running(process.pid)] == []
