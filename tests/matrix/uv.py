"""The installer: pins for each Airflow, and an environment for each row."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from tests.matrix.rows import LOWEST, NEWEST, OLDEST, OLDEST_PYTHON, ROOT, UNDECLARED, Row, constraints_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_UV = Path(sys.executable).parent / "uv"
_FORMAT = ["--no-emit-index-url", "--no-emit-find-links", "--no-annotate", "--no-header"]
_INSTALLED = "installed-from"
_NEWEST_GROUPS = [f"--group={name}" for name in ("bench", "distributed", "docs", "release")]
"""What developers install beside the group dev, with the newest Airflow only."""


def pin(airflow: str) -> None:
    """Write the newest versions that go together with this Airflow, in its newest patch release."""
    groups = ["--group", "dev", *(_NEWEST_GROUPS if airflow == NEWEST else ())]
    output = constraints_of(airflow)
    output.parent.mkdir(exist_ok=True)
    platforms = ["--universal", "--python-version", OLDEST_PYTHON]
    sources = ["pyproject.toml", "-"]
    wanted = "\n".join([f"apache-airflow=={airflow}.*", *UNDECLARED.get(airflow, ()), ""])
    uv(["pip", "compile", *platforms, "--upgrade", *groups, *_FORMAT, "--output-file", str(output), *sources], wanted)


def pin_lowest() -> None:
    """Write the lowest versions of what pyproject.toml declares, beside them the oldest Airflow's pins."""
    platforms = ["--universal", "--python-version", OLDEST_PYTHON]
    lowest = ["--resolution", "lowest-direct", "--all-extras"]
    found = uv(["pip", "compile", *platforms, *lowest, *_FORMAT, "pyproject.toml"])
    declared = [line for line in found.splitlines() if _name(line) in _declared()]
    output = constraints_of(LOWEST)
    shutil.copyfile(constraints_of(OLDEST), output)  # what is there is kept where it can be
    wanted = "\n".join([*declared, *UNDECLARED[LOWEST], ""])
    uv(
        ["pip", "compile", *platforms, "--group", "dev", *_FORMAT, "--output-file", str(output), "pyproject.toml", "-"],
        wanted,
    )


def _declared() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = chain.from_iterable(project["optional-dependencies"].values())
    return {_name(each) for each in (*project["dependencies"], *extras)}


def _name(requirement: str) -> str:
    return re.split(r"[^\w.-]", requirement, maxsplit=1)[0].lower()


def install(row: Row) -> Path:
    """Make the row's environment, if it is not there or not as the pins say, and return its Python."""
    python = row.environment / "bin" / "python"
    stamp = row.environment / _INSTALLED
    wanted = _fingerprint(row)
    if not stamp.exists() or stamp.read_text() != wanted:
        uv(["venv", "--clear", "--python", str(interpreter(row.python)), str(row.environment)])
        constraints = ["--constraint", str(row.constraints)]
        groups = chain.from_iterable(("--group", group) for group in row.groups)
        uv(["pip", "install", "--python", str(python), *constraints, "--editable", ".", *groups])
        stamp.write_text(wanted)
    return python


def _fingerprint(row: Row) -> str:
    files = (row.constraints, ROOT / "pyproject.toml")
    return " ".join([row.python, *row.groups, *(hashlib.sha256(file.read_bytes()).hexdigest() for file in files)])


def interpreter(version: str) -> Path:
    """Return a Python of this version; where there is none, say so and return the one that runs this."""
    for candidate in _candidates(version):
        asked = [str(candidate), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        told = subprocess.run(asked, capture_output=True, text=True, check=False)
        if told.stdout.strip() == version:
            return candidate
    print(f"no Python {version} on PATH or in pyenv: {sys.version.split()[0]} takes its place", flush=True)
    return Path(sys.executable)


def _candidates(version: str) -> Iterator[Path]:
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    yield from sorted(pyenv.glob(f"{version}.*/bin/python{version}"))
    if found := shutil.which(f"python{version}"):
        yield Path(found)


def uv(arguments: list[str], stdin: str | None = None, variables: Mapping[str, str] | None = None) -> str:
    """Run uv with these variables beside those of the environment; return what it prints. Raises CalledProcessError."""
    environment = {
        **os.environ,
        **(variables or {}),
        "UV_CACHE_DIR": str(ROOT / ".cache" / "uv"),
        "UV_PYTHON_DOWNLOADS": "never",
    }
    command = [str(_UV), "--quiet", *arguments]
    ran = subprocess.run(command, cwd=ROOT, env=environment, input=stdin, stdout=subprocess.PIPE, text=True, check=True)
    return ran.stdout
