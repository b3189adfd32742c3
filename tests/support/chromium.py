"""A Chromium for browser tests: the machine's own, or Debian's packages unpacked into .cache, which needs no root.

``python -m tests.support.chromium`` (``make`` calls it) leaves the command ``.cache/chromium/chromium``. The one that
the variable CHROMIUM names, or that is on the PATH, is taken as it is. Otherwise apt downloads Chromium and those of
its libraries that are missing: its lists, its cache and what it brings are kept in .cache, nothing is installed.
Measured: 30 s, 125 MB to download, 400 MB unpacked.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.airflow_home import CACHE

if TYPE_CHECKING:
    from collections.abc import Sequence

CHROMIUM = CACHE / "chromium" / "chromium"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_REMEDY = "install Chromium, or name one: make CHROMIUM=/path/to/chromium ..."


def provide(command: Path = CHROMIUM) -> None:
    """Leave a command that starts a Chromium. Raises ``RuntimeError`` with the remedy when there is none to be had."""
    command.parent.mkdir(parents=True, exist_ok=True)
    there = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)
    script = f"exec {shlex.quote(there)}" if there else _unpacked(command.parent)
    unfinished = command.with_suffix(".new")
    unfinished.write_text(f'#!/bin/sh\n{script} "$@"\n')
    unfinished.chmod(0o755)
    _run([str(unfinished), "--version"], command.parent)
    unfinished.replace(command)


def _unpacked(folder: Path) -> str:
    """Unpack Debian's packages and return the lines of the command that starts their Chromium."""
    if not shutil.which("apt-get"):
        raise RuntimeError(f"there is no Chromium here, and no apt-get to fetch one: {_REMEDY}")
    root, packages = folder / "root", folder / "packages"
    shutil.rmtree(root, ignore_errors=True)
    packages.mkdir(exist_ok=True)
    for package in _downloaded(folder, packages):
        _run(["dpkg", "-x", str(package), str(root)], folder)
    shutil.rmtree(packages)
    shutil.rmtree(folder / "apt")
    # One font for all text, so that a picture looks the same wherever it is taken
    (folder / "fonts.conf").write_text(
        f"<fontconfig><dir>{root}/usr/share/fonts</dir><cachedir>{folder}/fonts</cachedir>"
        '<match target="pattern"><edit name="family" mode="append_last"><string>Liberation Sans</string></edit></match>'
        "</fontconfig>\n"
    )
    libraries = {file.parent for file in (root / "usr" / "lib").rglob("*.so*")}
    return (
        f"export LD_LIBRARY_PATH={shlex.quote(':'.join(sorted(map(str, libraries))))}\n"
        f"export FONTCONFIG_FILE={shlex.quote(str(folder / 'fonts.conf'))}\n"
        f"exec {shlex.quote(str(root / 'usr/lib/chromium/chromium'))}"
    )


def _downloaded(folder: Path, packages: Path) -> list[Path]:
    """Download Chromium, a font, and whatever of their dependencies this machine has not."""
    for name in ("lists/partial", "archives/partial"):
        (folder / "apt" / name).mkdir(parents=True, exist_ok=True)
    private = ["-o", f"Dir::State::lists={folder}/apt/lists", "-o", f"Dir::Cache={folder}/apt"]
    # As root, apt would download as a user that may not write here
    apt = ["apt-get", "--quiet", *private, "-o", "APT::Sandbox::User="]
    _run([*apt, "update"], folder)
    plan = _run([*apt, "--simulate", "--no-install-recommends", "install", "chromium", "fonts-liberation"], folder)
    names = [line.split()[1] for line in plan.splitlines() if line.startswith("Inst ")]
    _run([*apt, "download", *names], packages)
    return sorted(packages.glob("*.deb"))


def _run(command: Sequence[str], folder: Path) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"LC_ALL": "C"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{shlex.join(command)} ended with {done.returncode}; {_REMEDY}\n{done.stdout}")
    return done.stdout


if __name__ == "__main__":
    try:
        provide()
    except RuntimeError as error:
        sys.exit(f"No Chromium for the browser tests: {error}")
