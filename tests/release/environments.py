"""An empty environment with one Airflow and what would be published, and nothing else."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Final

from packaging.version import Version

from airflow_provider_oss import __version__
from tests.matrix.rows import LOWEST, Row
from tests.matrix.uv import interpreter, uv
from tests.release.settings import pyproject

_IMPORT_ALL: Final = Path(__file__).parent / "import_all.py"
_OPTIONAL: Final = {"alibabacloud_credentials", "uvicorn"}
"""Modules that extras bring and without which some modules cannot be imported; nothing imports these unasked."""
_PYTEST: Final = "pytest"
"""What imports the fixtures has it; no extra brings it."""
_PAGE: Final = "airflow_provider_oss.ui."
"""The modules behind the page in Airflow's UI."""


def complaints_of_environment(row: Row, distribution: Path, folder: Path) -> list[str]:
    """Install it with the row's Airflow; return what is wrong, each a line."""
    python = _installed(row, str(distribution), folder)
    uv(["pip", "check", "--python", str(python)])
    lacking = _lacking(row, python, folder)
    found = [f"{line}, of no extra" for line in lacking if line.split()[-1] not in _OPTIONAL]
    found += _complaints_of_airflow(python, folder)
    extras = ",".join(pyproject()["project"]["optional-dependencies"])
    _installed(row, f"airflow-provider-oss[{extras}] @ {distribution.as_uri()}", folder)
    return found + [f"{line}, with all extras" for line in _lacking(row, python, folder)]


def _installed(row: Row, requirement: str, folder: Path) -> Path:
    python = folder / "bin" / "python"
    if not python.exists():
        uv(["venv", "--python", str(interpreter(row.python)), str(folder)])
    uv(["pip", "install", "--python", str(python), "--constraint", str(row.constraints), requirement])
    return python


def _lacking(row: Row, python: Path, folder: Path) -> list[str]:
    """Return the modules of the package that cannot be imported and should be, each with what it lacks."""
    lines = _run(folder, [str(python), "-I", str(_IMPORT_ALL)]).splitlines()
    if not any(re.fullmatch("imported [1-9][0-9]*", line) for line in lines):
        return [f"{python} has imported nothing"]
    return [line for line in lines if line.startswith("lacking ") and not _may_lack(row, *line.split()[1:])]


def _may_lack(row: Row, module: str, lacking: str) -> bool:
    return lacking == _PYTEST or (module.startswith(_PAGE) and not _has_page(row))


def _has_page(row: Row) -> bool:
    """Whether this Airflow can show the page: from 3.1 on."""
    return row.airflow != LOWEST and Version(row.airflow) >= Version("3.1")


def _complaints_of_airflow(python: Path, folder: Path) -> list[str]:
    """Return what Airflow's own commands say against the provider."""
    airflow = str(python.parent / "airflow")
    providers = _answer(_run(folder, [airflow, "providers", "list", "--output", "json"]))
    versions = [each["version"] for each in providers if each["package_name"] == "airflow-provider-oss"]
    hooks = _answer(_run(folder, [airflow, "providers", "hooks", "--output", "json"]))
    types = [each["connection_type"] for each in hooks if each["package_name"] == "airflow-provider-oss"]
    found = [] if versions == [__version__] else [f"airflow providers list has versions {versions} of it"]
    return found + ([] if types == ["aliyun_oss"] else [f"airflow providers hooks has types {types} of it"])


def _answer(printed: str) -> list[dict[str, str]]:
    """Return the JSON of a command, before which some Airflows print lines of their log."""
    found = [line for line in printed.splitlines() if line.startswith("[{")]
    answer: list[dict[str, str]] = json.loads(found[-1]) if found else []
    return answer


def _run(folder: Path, command: list[str]) -> str:
    """Run it and return what it prints. Raises CalledProcessError also when a message names the package."""
    variables = {
        "AIRFLOW_HOME": str(folder / "airflow"),
        "HOME": str(folder),
        "PATH": os.pathsep.join([str(folder / "bin"), os.environ["PATH"]]),
    }
    ran = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    if ran.returncode or any(name in ran.stderr for name in ("airflow_provider_oss", "airflow-provider-oss")):
        raise subprocess.CalledProcessError(ran.returncode, command, ran.stdout, ran.stderr)
    return ran.stdout
