"""Which files of a tree, and what is done with what is found on either side."""

from __future__ import annotations

from dataclasses import dataclass, field

from airflow_provider_oss.transfer.tree.globs import Selection
from airflow_provider_oss.transfer.tree.walk import Symlinks


@dataclass(frozen=True, slots=True)
class TreeSource:
    """Which files."""

    directory: str
    selection: Selection = field(default_factory=Selection)
    symlinks: Symlinks = "follow"


@dataclass(frozen=True, slots=True)
class TreeRules:
    """What is done."""

    skip_unchanged: bool = True
    """Do not send files whose object is equal: same size, and same MD5 or CRC-64."""
    delete_removed: bool = False
    """Delete the objects below the prefix that the selection means and the directory does not have."""
    allow_empty: bool = False
    """Delete them also when no file is there."""
    dry_run: bool = False
    """Only tell what would be sent and deleted."""
