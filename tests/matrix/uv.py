"""The installer: pins for each Airflow, and an environment for each row."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.matrix.rows import NEWEST, OLDEST_PYTHON, ROOT, UNDECLARED, Row, constraints_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_UV = Path(sys.executable).parent / "uv"
_FORMAT = ["--no-emit-index-url", "--no-emit-find-links", "--no-annotate", "--no-header"]
_INSTALLED = "installed-from"


def pin(airflow: str) -> None:
    """Write the newest versions that go together with this Airflow, in its newest patch release."""
    groups = ["--group", "dev", *(["--group", "bench"] if airflow == NEWEST else [])]
    output = constraints_of(airflow)
    output.parent.mkdir(exist_ok=True)
    platforms = ["--universal", "--python-version", OLDEST_PYTHON]
    sources = ["pyproject.toml", "-"]
    wanted = "\n".join([f"apache-airflow=={airflow}.*", *UNDECLARED.get(airflow, ()), ""])
    _uv(["pip", "compile", *platforms, "--upgrade", *groups, *_FORMAT, "--output-file", str(output), *sources], wanted)


def install(row: Row) -> Path:
    """Make the row's environment, if it is not there or not as the pins say, and return its Python."""
    python = row.environment / "bin" / "python"
    stamp = row.environment / _INSTALLED
    wanted = _fingerprint(row)
    if not stamp.exists() or stamp.read_text() != wanted:
        _uv(["venv", "--clear", "--python", str(_interpreter(row.python)), str(row.environment)])
        constraints = ["--constraint", str(row.constraints)]
        _uv(["pip", "install", "--python", str(python), *constraints, "--editable", ".", "--group", "dev"])
        stamp.write_text(wanted)
    return python


def _fingerprint(row: Row) -> str:
    files = (row.constraints, ROOT / "pyproject.toml")
    return " ".join([row.python, *(hashlib.sha256(file.read_bytes()).hexdigest() for file in files)])


def _interpreter(version: str) -> Path:
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


def _uv(arguments: list[str], stdin: str | None = None) -> None:
    environment = {**os.environ, "UV_CACHE_DIR": str(ROOT / ".cache" / "uv"), "UV_PYTHON_DOWNLOADS": "never"}
    subprocess.run([str(_UV), "--quiet", *arguments], cwd=ROOT, env=environment, input=stdin, text=True, check=True)
