"""Wheel and sdist: built, looked at as a package index does, and the sdist's tests."""

from __future__ import annotations

import email
import os
import subprocess
import sys
import tarfile
import zipfile
from html.parser import HTMLParser
from pathlib import Path

from tests.matrix.uv import uv

_TESTS = ("tests/docs", "tests/matrix", "tests/release", "tests/test_provider_info.py", "tests/test_layering.py")
"""Of the sdist's tests those that run: those that look at files beside the package. All others are collected."""


def build(folder: Path) -> tuple[Path, Path]:
    """Build both from this checkout, and return the wheel and the sdist."""
    uv(["build", "--out-dir", str(folder)])
    [wheel], [sdist] = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, sdist


def complaints_of_index(wheel: Path, sdist: Path) -> list[str]:
    """Return what is wrong with metadata and README, each a line."""
    twine = [sys.executable, "-m", "twine", "check", "--strict", str(wheel), str(sdist)]
    checked = subprocess.run(twine, capture_output=True, text=True, check=False)
    found = [] if checked.returncode == 0 else [checked.stdout + checked.stderr]
    readme, of_sdist = _readme_of_wheel(wheel), _readme_of_sdist(sdist)
    if readme != of_sdist:
        found.append("wheel and sdist have different descriptions")
    return found + [f"the README leads to {target}" for target in relative_targets(_rendered(readme))]


def relative_targets(html: str) -> list[str]:
    """Return where links and pictures of a page lead that are neither absolute nor anchors in it."""
    page = _Targets()
    page.feed(html)
    return [target for target in page.targets if not target.startswith("https://") and target[1:] not in page.anchors]


def tests_of_sdist(sdist: Path, folder: Path) -> list[str]:
    """Unpack it; return what is wrong with its tests: all are collected, some run."""
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    [root] = folder.iterdir()
    return _failed(root, "--collect-only", "-qq") or _failed(root, "-q", "--numprocesses", "2", *_TESTS)


def _failed(root: Path, *arguments: str) -> list[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    ran = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    return [] if ran.returncode == 0 else [ran.stdout[-3000:] + ran.stderr[-1000:]]


def _readme_of_wheel(wheel: Path) -> str:
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return _description(archive.read(name))


def _readme_of_sdist(sdist: Path) -> str:
    with tarfile.open(sdist) as archive:
        [name] = [name for name in archive.getnames() if name.count("/") == 1 and name.endswith("/PKG-INFO")]
        found = archive.extractfile(name)
        assert found is not None
        return _description(found.read())


def _description(metadata: bytes) -> str:
    return str(email.message_from_bytes(metadata).get_payload())


def _rendered(markdown: str) -> str:
    from readme_renderer.markdown import render  # noqa: PLC0415 - of the group release, which the tests do not need

    html = render(markdown)
    assert html is not None
    return str(html)


class _Targets(HTMLParser):
    """Collects where links and pictures lead, and what can be led to."""

    def __init__(self) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, _tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at one element."""
        values = dict(attrs)
        self.targets += [value for name in ("href", "src") if (value := values.get(name))]
        self.anchors |= {value for name in ("id", "name") if (value := values.get(name))}
