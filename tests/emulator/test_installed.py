"""The local server as others have it: out of the wheel, in an environment and a folder without this repository."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import sysconfig
from itertools import chain
from pathlib import Path

import pytest

from tests.docs.pages import code_blocks
from tests.emulator.support import send
from tests.matrix.rows import ROOT
from tests.matrix.uv import uv
from tests.support.airflow_home import airflow_environment, prepare_home

pytestmark = pytest.mark.xdist_group("the wheel")

DOCKERFILE = ROOT / "docker" / "Dockerfile"

SHOW_WHERE = """
import airflow_provider_oss

def pytest_report_header():
    return f"package: {airflow_provider_oss.__file__}"
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, built as the image builds it: from what the Dockerfile copies, and nothing else."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in copied()[0]:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(ROOT / name, source / name)
    uv(["build", "--wheel", "--out-dir", str(built), str(source)])
    (wheel,) = built.glob("*.whl")
    return wheel


def copied() -> list[list[str]]:
    """What each stage of the Dockerfile copies out of the repository."""
    _, *stages = re.split("^FROM ", DOCKERFILE.read_text(), flags=re.MULTILINE)
    copies = (re.findall(r"^COPY ((?!--).+) \S+$", stage, re.MULTILINE) for stage in stages)
    return [" ".join(names).split() for names in copies]


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """An empty environment."""
    folder = tmp_path / "environment"
    uv(["venv", "--python", sys.executable, str(folder)])
    return folder


def install(environment: Path, *what: str) -> None:
    """Install, in the versions that this environment has."""
    pins = environment.with_name("pins.txt")
    pins.write_text(uv(["pip", "freeze", "--exclude-editable", "--python", sys.executable]))
    python = str(environment / "bin" / "python")
    uv(["pip", "install", "--python", python, "--constraint", str(pins), *what])


def share_libraries(environment: Path) -> None:
    """
    Let an environment find all that this one has installed, but for what is installed as a link to a checkout.

    A line of a .pth file is a folder of modules: the .pth files in it, which are such links, are not read.
    """
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(environment), "platbase": str(environment)}))
    (packages / "shared.pth").write_text(sysconfig.get_path("purelib"))


def test_a_repository_of_dags(tmp_path: Path, wheel: Path, environment: Path) -> None:
    """The test that the page shows passes in a repository that has the page's DAG, and of this package the wheel."""
    install(environment, "--no-deps", str(wheel))
    share_libraries(environment)
    repository = tmp_path / "repository"
    page = ROOT / "docs" / "local_server.md"
    for example in (code_blocks(page, "python")[0], *code_blocks(page, "py")):
        file = repository / example.split("\n", 1)[0].removeprefix("# ")
        file.parent.mkdir(parents=True)
        file.write_text(example)
    (repository / "conftest.py").write_text(SHOW_WHERE)
    prepare_home(tmp_path / "home")
    variables = airflow_environment(tmp_path / "home", repository / "dags", {})

    finished = subprocess.run(
        [environment / "bin" / "python", "-m", "pytest"],
        cwd=repository,
        env={name: value for name, value in variables.items() if not name.startswith(("PYTHON", "PYTEST"))},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )

    assert "1 passed" in finished.stdout, finished.stdout
    assert finished.returncode == 0
    assert f"package: {environment}" in finished.stdout


def test_what_the_image_has(wheel: Path, environment: Path) -> None:
    """The libraries that the Dockerfile installs are all that its command needs."""
    dockerfile = DOCKERFILE.read_text()
    (libraries,) = re.findall(r"--constraint /tmp/constraints.txt ([a-z ]+) \\", dockerfile)
    install(environment, *libraries.split())
    install(environment, "--no-deps", str(wheel))
    command, *options = re.findall(r'"([^"]+)"', dockerfile.rsplit("ENTRYPOINT", 1)[1])
    options[options.index("--port") + 1] = "0"

    with subprocess.Popen(
        [environment / "bin" / command, *options], env={}, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            endpoint = process.stdout.readline().strip()
            assert send(endpoint, "GET", "/-/").status == 200
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
        finally:
            process.kill()


def test_the_image_is_given_what_it_copies() -> None:
    """Of the repository, the build of the image sees what the Dockerfile copies, and no more."""
    ignored = DOCKERFILE.with_name("Dockerfile.dockerignore").read_text().split()
    assert ignored[0] == "*"
    assert sorted(line[1:] for line in ignored if line.startswith("!")) == sorted(chain.from_iterable(copied()))
