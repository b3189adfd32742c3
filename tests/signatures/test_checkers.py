"""What mypy and pyright say of DAG files: nothing of a right one, and something of each wrong line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.signatures import every_argument
from tests.support.discovery import operators

pytestmark = pytest.mark.xdist_group("checkers")

ROOT = Path(__file__).parents[2]
DAGS = Path(__file__).with_name("dags")
MARK = "# wrong"

Found = dict[Path, dict[int, str]]
"""What is wrong with which line of each file."""


def mypy(files: list[Path], folder: Path) -> list[tuple[str, int, str]]:  # noqa: ARG001 - of all checkers
    """Return what mypy --strict, set as for this project, finds where."""
    command = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), *map(str, files)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=240)
    found = re.findall(r"^(.+?):(\d+): error: (.*)$", done.stdout, re.MULTILINE)
    assert "checked" in done.stdout, done.stdout + done.stderr
    return [(file, int(line), text) for file, line, text in found]


def pyright(files: list[Path], folder: Path) -> list[tuple[str, int, str]]:
    """Return what pyright finds where, with the rules that it has by default."""
    settings = {"typeCheckingMode": "standard", "include": list(map(str, files)), "extraPaths": [str(ROOT)]}
    (folder / "pyrightconfig.json").write_text(json.dumps(settings), "utf-8")
    command = [
        sys.executable,
        "-m",
        "basedpyright",
        "--outputjson",
        "--project",
        str(folder),
        "--pythonpath",
        sys.executable,
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=240)
    answer = json.loads(done.stdout)
    assert answer["summary"]["filesAnalyzed"] == len(files), done.stdout
    return [(one["file"], one["range"]["start"]["line"] + 1, one["message"]) for one in answer["generalDiagnostics"]]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """DAG files, written by hand and by rule; those of mistakes have "wrong" in their names."""
    folder = tmp_path_factory.mktemp("dags")
    written = {"every_right.py": every_argument.right(), "every_wrong.py": every_argument.wrong()}
    for name, text in written.items():
        (folder / name).write_text(text, "utf-8")
    return [*(folder / name for name in written), *DAGS.glob("*.py")]


@pytest.fixture(scope="module", params=[mypy, pyright], ids=["mypy", "pyright"])
def found(request: pytest.FixtureRequest, files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Found:
    """What a checker finds, by file and line."""
    check: Callable[[list[Path], Path], list[tuple[str, int, str]]] = request.param
    by_line: Found = {file: {} for file in files}
    for file, line, text in check(files, tmp_path_factory.mktemp("checker")):
        by_line[(ROOT / file).resolve()][line] = text
    return by_line


def test_right_lines(found: Found) -> None:
    """Nothing is wrong with a right line."""
    for file, lines in found.items():
        text = file.read_text("utf-8").splitlines()
        assert [(file.name, text[line - 1], told) for line, told in lines.items() if MARK not in text[line - 1]] == []


def test_wrong_lines(found: Found) -> None:
    """Each wrong line is refused: what is misspelt, what is missing, what is of a wrong type."""
    wrong = {file: lines for file, lines in found.items() if "wrong" in file.name}
    assert len(wrong) == 2
    for file, lines in wrong.items():
        marked = {number: line for number, line in enumerate(file.read_text("utf-8").splitlines(), 1) if MARK in line}
        assert len(marked) > 20
        assert [line for number, line in marked.items() if number not in lines] == []


def test_every_class_is_used() -> None:
    """The right file that people read has each operator, sensor and decorator."""
    text = (DAGS / "right.py").read_text("utf-8")
    decorators = {"OSSUploadDecoratedOperator": "@oss_upload_task("}
    assert [name for name in operators() if decorators.get(name, f"{name}(") not in text] == []
