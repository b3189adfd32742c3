"""Debian's packages unpacked into a folder, which needs no root: nothing is installed."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def unpack(packages: Sequence[str], folder: Path) -> Path:
    """
    Unpack the packages, and those of their dependencies that this machine has not, and return their root.

    What was there before is replaced; apt's lists and its cache are kept in the folder meanwhile. Raises RuntimeError
    with what the failed command wrote.
    """
    if not shutil.which("apt-get"):
        raise RuntimeError(f"there is no apt-get here to fetch {', '.join(packages)}")
    root, downloads = folder / "root", folder / "packages"
    shutil.rmtree(root, ignore_errors=True)
    downloads.mkdir(parents=True, exist_ok=True)
    for package in _downloaded(packages, folder, downloads):
        run(["dpkg", "-x", str(package), str(root)], folder)
    shutil.rmtree(downloads)
    shutil.rmtree(folder / "apt")
    return root


def provide(command: Path, script: str) -> None:
    """Leave a command that runs these lines, the last of which starts a program. Raises RuntimeError if it cannot."""
    command.parent.mkdir(parents=True, exist_ok=True)
    unfinished = command.with_suffix(".new")
    unfinished.write_text(f'#!/bin/sh\n{script} "$@"\n')
    unfinished.chmod(0o755)
    run([str(unfinished), "--version"], command.parent)
    unfinished.replace(command)


def libraries(root: Path) -> str:
    """Return what LD_LIBRARY_PATH has to be for programs that were unpacked."""
    return ":".join(sorted({str(file.parent) for file in root.rglob("*.so*") if "lib" in file.parts}))


def run(command: Sequence[str], folder: Path) -> str:
    """Return what the command writes. Raises RuntimeError with it when the command fails."""
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
        raise RuntimeError(f"{shlex.join(command)} ended with {done.returncode}\n{done.stdout}")
    return done.stdout


def _downloaded(packages: Sequence[str], folder: Path, downloads: Path) -> list[Path]:
    for name in ("lists/partial", "archives/partial"):
        (folder / "apt" / name).mkdir(parents=True, exist_ok=True)
    private = ["-o", f"Dir::State::lists={folder}/apt/lists", "-o", f"Dir::Cache={folder}/apt"]
    # As root, apt would download as a user that may not write here
    apt = ["apt-get", "--quiet", *private, "-o", "APT::Sandbox::User="]
    run([*apt, "update"], folder)
    plan = run([*apt, "--simulate", "--no-install-recommends", "install", *packages], folder)
    names = [line.split()[1] for line in plan.splitlines() if line.startswith("Inst ")]
    run([*apt, "download", *names], downloads)
    return sorted(downloads.glob("*.deb"))
