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
import sys
from pathlib import Path

from tests.support.airflow_home import CACHE
from tests.support.debian import libraries, provide, unpack

CHROMIUM = CACHE / "chromium" / "chromium"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_REMEDY = "Install Chromium, or name one: make CHROMIUM=/path/to/chromium ..."


def _unpacked(folder: Path) -> str:
    """Unpack Debian's packages and return the lines of the command that starts their Chromium."""
    root = unpack(("chromium", "fonts-liberation"), folder)
    # One font for all text, so that a picture looks the same wherever it is taken
    (folder / "fonts.conf").write_text(
        f"<fontconfig><dir>{root}/usr/share/fonts</dir><cachedir>{folder}/fonts</cachedir>"
        '<match target="pattern"><edit name="family" mode="append_last"><string>Liberation Sans</string></edit></match>'
        "</fontconfig>\n"
    )
    return (
        f"export LD_LIBRARY_PATH={shlex.quote(libraries(root))}\n"
        f"export FONTCONFIG_FILE={shlex.quote(str(folder / 'fonts.conf'))}\n"
        f"exec {shlex.quote(str(root / 'usr/lib/chromium/chromium'))}"
    )


if __name__ == "__main__":
    try:
        there = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)
        provide(CHROMIUM, f"exec {shlex.quote(there)}" if there else _unpacked(CHROMIUM.parent))
    except RuntimeError as error:
        sys.exit(f"No Chromium for the browser tests: {error}\n{_REMEDY}")
