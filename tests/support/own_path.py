"""A path of neither text nor pathlib: all that Python takes for a path."""

from __future__ import annotations

import os


class OwnPath(os.PathLike[str]):
    """Has ``__fspath__``, and nothing else that a path may have."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __fspath__(self) -> str:
        return self._path
