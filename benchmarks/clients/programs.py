"""The clients that are no Python: ali-oss for Node, and curl."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Final

from benchmarks.clients.client import Client, NotInstalledError
from benchmarks.job import Job

_SCRIPT: Final = Path(__file__).with_name("ali_oss.js")


def _install_ali_oss() -> str:
    """Install it as the tests do, from the same lock file into the same folder."""
    try:
        from tests.emulator.node import install_ali_oss

        modules = install_ali_oss()
    except (ImportError, OSError, subprocess.SubprocessError) as error:
        raise NotInstalledError(f"ali-oss cannot be installed here: {error}") from error
    package = json.loads((modules / "ali-oss" / "package.json").read_text("utf-8"))
    return f"ali-oss {package['version']}"


def _ali_oss_command(job: Job, account_path: Path) -> list[str]:
    from tests.emulator.node import NODE, install_ali_oss

    return [str(NODE), str(_SCRIPT), str(install_ali_oss()), json.dumps(asdict(job)), str(account_path)]


def _curl_version() -> str:
    program = shutil.which("curl")
    if program is None:
        raise NotInstalledError("there is no curl on this machine")
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    return " ".join(said.split()[:2])


def _curl_command(job: Job, account_path: Path) -> list[str]:  # noqa: ARG001 - curl writes none
    """Return one PUT on one connection, unsigned: a file from a disk to a server with nothing around it."""
    url = f"{job.endpoint}/{job.bucket}/{job.key}"
    return ["curl", "--silent", "--show-error", "--fail", "--upload-file", job.file_path, url]


ALI_OSS: Final = Client("ali-oss multipartUpload (Node)", "peer", "nothing", _install_ali_oss, _ali_oss_command)
CURL: Final = Client("curl -T, one connection", "limit", "nothing", _curl_version, _curl_command)
