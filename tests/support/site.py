"""The documentation site, for tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).parents[2]


def build_site(folder: Path) -> None:
    """Build it into the folder. Warnings, dead links and pages in no navigation fail the test."""
    command = [sys.executable, "-m", "docs.build", "--into", str(folder)]
    built = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
