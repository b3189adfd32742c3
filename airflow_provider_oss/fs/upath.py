"""What universal_pathlib makes of ``oss://``: without this it warns of a filesystem that it does not know."""

from __future__ import annotations

from fsspec import get_filesystem_class
from upath import UPath

# Once fsspec has it, paths are taken apart by its rules; else by those of ossfs, which puts a slash before the bucket
get_filesystem_class("oss")


class OSSPath(UPath):
    """A path of the filesystem; ``oss://bucket/key`` as it is."""

    __slots__ = ()
