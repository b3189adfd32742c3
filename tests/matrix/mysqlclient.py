"""The driver mysqlclient, which has no wheel for Linux: built against Debian's headers, unpacked into .cache."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final

from tests.matrix.rows import ROOT
from tests.matrix.uv import uv
from tests.support.debian import unpack

if TYPE_CHECKING:
    from pathlib import Path

_VERSION: Final = "2.3.2"
_FOLDER: Final = ROOT / ".cache" / "mariadb" / "client"


def install_mysqlclient(python: Path) -> None:
    """Build and install it, if it is not there. Raises RuntimeError or CalledProcessError; it needs a C compiler."""
    root = _FOLDER / "root"
    if not root.exists():
        _FOLDER.mkdir(parents=True, exist_ok=True)
        unpack(("libmariadb-dev",), _FOLDER)
    [header] = root.rglob("mysql.h")
    [library] = root.rglob("libmariadb.so")
    flags = {
        "MYSQLCLIENT_CFLAGS": shlex.join([f"-I{header.parent}"]),
        "MYSQLCLIENT_LDFLAGS": shlex.join([f"-L{library.parent}", "-lmariadb", f"-Wl,-rpath,{library.parent}"]),
    }
    uv(["pip", "install", "--python", str(python), f"mysqlclient=={_VERSION}"], variables=flags)
