"""What universal_pathlib makes of ``oss://``; without it, it warns of a filesystem that it does not know."""

from __future__ import annotations

from upath.implementations.cloud import CloudPath


class OSSPath(CloudPath):
    """A path whose first part is a bucket."""

    __slots__ = ()
