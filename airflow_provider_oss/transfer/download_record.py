"""
What is noted beside a partial download: of which object it is, and which ranges have arrived. Pure.

It is text that grows: a line that says what is downloaded, then one for each range. A process that dies leaves at worst
a last line that is cut short, and that is no line. What the lines claim is compared with the file before it counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from airflow_provider_oss.model import ObjectInfo, ObjectRef
from airflow_provider_oss.transfer.plan import PartPlan, make_plan

_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class DownloadedVersion:
    """One version of an object, and the size of the ranges it is cut into."""

    ref: ObjectRef
    etag: str
    size_bytes: int
    crc64: int | None
    part_size_bytes: int

    def is_of(self, info: ObjectInfo) -> bool:
        """Whether it is what OSS describes now."""
        now = (info.ref, info.etag, info.size_bytes, info.crc64)
        return (self.ref, self.etag, self.size_bytes, self.crc64) == now

    @property
    def plan(self) -> PartPlan:
        """The ranges."""
        return PartPlan(self.size_bytes, self.part_size_bytes)


@dataclass(frozen=True, slots=True)
class DownloadRecord:
    """What a partial download claims to be: ``done`` has the number of each range that arrived, and its CRC-64."""

    version: DownloadedVersion
    done: Mapping[int, int]


def first_line(version: DownloadedVersion) -> bytes:
    """Return the line that says what is downloaded."""
    return _line(
        {
            "version": _VERSION,
            "bucket": version.ref.bucket,
            "key": version.ref.key,
            "etag": version.etag,
            "size": version.size_bytes,
            "crc64": None if version.crc64 is None else str(version.crc64),
            "part_size": version.part_size_bytes,
        }
    )


def range_line(number: int, crc64: int) -> bytes:
    """Return the line that says that a range has arrived."""
    return _line({"part": number, "crc64": str(crc64)})


def _line(data: Mapping[str, Any]) -> bytes:
    return f"{json.dumps(data)}\n".encode()


def parse_record(text: bytes) -> DownloadRecord:
    """
    Return what the text says; lines about ranges that make no sense are left out.

    Raises ValueError when its first line does not say what is downloaded.
    """
    first, _, rest = text.partition(b"\n")
    version = _version(_fields(first))
    return DownloadRecord(version, dict(_claims(rest.splitlines(), version.plan.count)))


def _version(fields: Mapping[str, Any]) -> DownloadedVersion:
    if fields.get("version") != _VERSION:
        raise ValueError(f"version is {fields.get('version')!r}, not {_VERSION}")
    ref = ObjectRef(_typed(fields, "bucket", str), _typed(fields, "key", str))
    size_bytes = _typed(fields, "size", int)
    crc64 = fields.get("crc64")
    plan = make_plan(size_bytes, _typed(fields, "part_size", int))
    if size_bytes < 0:
        raise ValueError(f"size is {size_bytes}")
    return DownloadedVersion(
        ref,
        _typed(fields, "etag", str),
        size_bytes,
        None if crc64 is None else int(_typed(fields, "crc64", str)),
        plan.part_size_bytes,
    )


def _claims(lines: Iterable[bytes], count: int) -> Iterable[tuple[int, int]]:
    for line in lines:
        try:
            fields = _fields(line)
            number, crc64 = _typed(fields, "part", int), int(_typed(fields, "crc64", str))
        except ValueError:
            continue
        if 1 <= number <= count:
            yield number, crc64


def _fields(line: bytes) -> Mapping[str, Any]:
    """Return the object that a line of JSON holds. Raises ValueError."""
    try:
        fields = json.loads(line)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(fields, dict):
        raise ValueError(f"it holds a {type(fields).__name__}, not an object")  # noqa: TRY004 - as in _typed
    return fields


def _typed(fields: Mapping[str, Any], name: str, kind: type[Any]) -> Any:
    value = fields.get(name)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ValueError(f"{name} is {value!r}, not a {kind.__name__}")  # noqa: TRY004 - of the text, not of a caller
    return value
