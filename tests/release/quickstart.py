"""The commands of docs/quickstart.md, each as it is printed, in an empty folder: the wheel takes the place of PyPI."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import textwrap
import uuid
from pathlib import Path
from typing import Final

from tests.matrix.rows import NEWEST, ROOT, constraints_of
from tests.matrix.suite import MARK, kill_started
from tests.support.airflow_home import LOOPBACK
from tests.support.waiting import wait_until

PAGE: Final = ROOT / "docs" / "quickstart.md"
_PORTS: Final = (8080, 9000)
"""Of Airflow and of the local server: those that the page names."""
_MOST_SECONDS: Final = 300
_RESULT: Final = re.compile(r"Stored oss://exports/large.bin: (\d+) bytes, (\d+) of them sent and (\d+) verified")


def commands() -> list[str]:
    """Return the page's blocks for a shell."""
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(block) for block in blocks]


def complaints_of_quickstart(wheel: Path, folder: Path) -> list[str]:
    """Run them, the last one until it has a result; return what is wrong. Ends whatever was started."""
    if taken := [port for port in _PORTS if _is_taken(port)]:
        return [f"something listens on port {port}, which the page needs: end it, and check again" for port in taken]
    folder.mkdir()
    *setting_up, look = commands()
    script = "\n".join(["set -e", *(_of_wheel(command, wheel) for command in setting_up)])
    mark = uuid.uuid4().hex
    environment = {**os.environ, "HOME": str(folder), "PIP_CONSTRAINT": str(constraints_of(NEWEST)), MARK: mark}
    shell = ["bash", "-c", f"{script}\nwait"]
    with (folder / "shell.log").open("w") as log:
        process = subprocess.Popen(shell, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            result = wait_until(
                lambda: _result(folder / "oss-demo", look) or (None if process.poll() is None else "the shell ended"),
                _MOST_SECONDS,
                "the file to be stored",
                lambda: _tail(folder / "shell.log"),
            )
        except TimeoutError as error:
            return [str(error)]
        finally:
            kill_started(process.pid, mark)
            process.wait()
    return _complaints(result, folder / "shell.log")


def _is_taken(port: int) -> bool:
    with socket.socket() as asking:
        return asking.connect_ex((LOOPBACK, port)) == 0


def _of_wheel(command: str, wheel: Path) -> str:
    return command.replace("'airflow-provider-oss[emulator]'", f"'{wheel}[emulator]'")


def _result(folder: Path, look: str) -> str:
    if not folder.exists():
        return ""
    found = subprocess.run(["bash", "-c", look], cwd=folder, capture_output=True, text=True, check=False).stdout
    return found if "Stored" in found else ""


def _complaints(result: str, log: Path) -> list[str]:
    stored = _RESULT.search(result)
    if stored is None:
        return [f"no attempt has stored the file: {result}{_tail(log)}"]
    size, sent, verified = (int(number) for number in stored.groups())
    if verified and sent < size:
        return []
    return [f"the last attempt has sent {sent} of {size} bytes and verified {verified}"]


def _tail(log: Path) -> str:
    return log.read_text("utf-8")[-3000:]
