"""rclone, which speaks OSS in S3's dialect: the one on the PATH, or Debian's package unpacked into .cache."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Final

from benchmarks.clients.client import Client, NotInstalledError
from benchmarks.clients.credentials import ACCESS_KEY_ID, ACCESS_KEY_SECRET, REGION
from benchmarks.job import Job

_MIB: Final = 1024 * 1024


def rclone_command(endpoint: str) -> list[str]:
    """
    Return the command for a server at this endpoint, which ``:s3:bucket/key`` in arguments behind it is on.

    It compares sizes only: the sink's ETags are no MD5.
    """
    settings = {
        "config": os.devnull,
        "s3-provider": "Other",
        "s3-endpoint": endpoint,
        "s3-region": REGION,
        "s3-access-key-id": ACCESS_KEY_ID,
        "s3-secret-access-key": ACCESS_KEY_SECRET,
        "retries": "1",
    }
    switches = ["--s3-force-path-style", "--s3-no-check-bucket", "--s3-disable-checksum", "--ignore-checksum"]
    # It cannot use that variable of AWS's, which a machine may have for other programs
    return [
        "env",
        "-u",
        "AWS_CA_BUNDLE",
        _program(),
        *switches,
        *(f"--{name}={value}" for name, value in settings.items()),
    ]


def _program() -> str:
    """Return where it is. Raises RuntimeError when it can be had from nowhere."""
    from tests.support.airflow_home import CACHE
    from tests.support.debian import libraries, provide, unpack

    command = CACHE / "rclone" / "rclone"
    if not command.exists():
        if (found := shutil.which("rclone")) is not None:
            return found
        root = unpack(("rclone",), command.parent)
        program = shlex.quote(str(root / "usr/bin/rclone"))
        provide(command, f"export LD_LIBRARY_PATH={shlex.quote(libraries(root))}\nexec {program}")
    return str(command)


def _version() -> str:
    try:
        said = subprocess.run([_program(), "version"], capture_output=True, text=True, check=True).stdout
    except (ImportError, OSError, RuntimeError, subprocess.SubprocessError) as error:
        raise NotInstalledError(f"rclone cannot be had here: {error}") from error
    return said.splitlines()[0].replace(" v", " ")


def _upload(job: Job, account_path: Path) -> list[str]:  # noqa: ARG001 - rclone writes none
    wanted = {
        "s3-chunk-size": None if job.part_size_bytes is None else f"{job.part_size_bytes // _MIB}Mi",
        "s3-upload-concurrency": job.parallel,
    }
    given = [f"--{name}={value}" for name, value in wanted.items() if value is not None]
    return [*rclone_command(job.endpoint), "copyto", job.file_path, f":s3:{job.bucket}/{job.key}", *given]


RCLONE: Final = Client("rclone copyto (S3 dialect)", "peer", "nothing", _version, _upload)
