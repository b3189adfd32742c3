"""Where in the package something is written: a rule that has one home is written there alone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import airflow_provider_oss

ROOT: Final = Path(airflow_provider_oss.__file__).parent


def occurrences(pattern: str) -> set[str]:
    """Return the modules, but of the local server, that have it in their source."""
    paths = [path for path in ROOT.rglob("*.py") if "emulator" not in path.parts]
    return {str(path.relative_to(ROOT)) for path in paths if re.search(pattern, path.read_text(encoding="utf-8"))}
