"""The kinds of transfers, one module for each: how it is run, and what is right. ``KINDS`` names them all."""

from __future__ import annotations

from tests.chaos.kinds.copy import CopyAsOne, CopyInParts
from tests.chaos.kinds.directory import Directory, Files
from tests.chaos.kinds.download import Download
from tests.chaos.kinds.http import HttpForward, HttpRanges
from tests.chaos.kinds.paths import PathChange, PathPut, PathRead, PathWrite
from tests.chaos.kinds.sensors import KeySensor, UnchangedSensor
from tests.chaos.kinds.sql import SqlAsOne, SqlAsPieces
from tests.chaos.kinds.storage import StorageGlob, StorageObject
from tests.chaos.transfers import Transfer

KINDS: tuple[type[Transfer], ...] = (
    SqlAsOne,
    SqlAsPieces,
    HttpRanges,
    HttpForward,
    StorageGlob,
    StorageObject,
    Directory,
    Files,
    CopyAsOne,
    CopyInParts,
    Download,
    PathWrite,
    PathPut,
    PathRead,
    PathChange,
    KeySensor,
    UnchangedSensor,
)
