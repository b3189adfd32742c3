"""The manifest of an export, which is the truth about it: of one task, of one shard, and over those of all shards."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Final

from typing_extensions import override

from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.model import ObjectRef, Result, UploadResult
from airflow_provider_oss.options import ObjectOptionArguments

if TYPE_CHECKING:
    from airflow_provider_oss.exports.columns import Column
    from airflow_provider_oss.exports.formats import FileFormat
    from airflow_provider_oss.hooks.oss import OSSHook

_VERSION: Final = 1
_SHARED: Final = ("version", "file_format", "compression", "columns", "partition_by")
"""What is the same for all objects of an export."""


@dataclass(frozen=True, slots=True)
class ExportedObject:
    """One object of an export."""

    key: str
    uri: str
    rows: int
    bytes: int
    etag: str
    crc64: str
    """Decimal, as OSS writes it."""
    partition: dict[str, str | None] | None = None
    """The values, by the names of their columns, which its rows share; None when the export is not partitioned."""


@dataclass(frozen=True, slots=True)
class ShardResult(Result):
    """What became of an export, or of one shard of it; what objects there are is said by the manifest alone."""

    rows: int
    bytes: int
    """Of all objects, as they are stored."""
    objects: int
    """How many."""
    manifest: str
    """Its ``oss://bucket/key``."""
    manifest_crc64: str
    bytes_sent: int
    """By this attempt; of an export, by those that its tasks ended with."""
    bytes_verified: int
    """Stored by an earlier attempt and proven equal by this one."""
    resumed: bool
    elapsed_seconds: float
    shard: Mapping[str, Any] | None = None
    """As it was planned; None for all."""

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> ShardResult:
        """Return the result that a task has returned as plain data. Raises OSSInvalidArgument for anything else."""
        try:
            return cls(**{field.name: given[field.name] for field in fields(cls)})
        except KeyError as error:
            raise OSSInvalidArgument(
                f"results has something without {error} in place of what SQLToOSSOperator returns for a shard: give "
                "send.output as it is"
            ) from error

    @override
    def describe(self) -> str:
        done = f"{self.bytes} bytes, {self.bytes_sent} of them sent and {self.bytes_verified} verified"
        return f"Exported {self.rows} rows in {self.objects} objects: {done}; {self.manifest} lists them"


def manifest_text(
    form: FileFormat,
    columns: Sequence[Column],
    partition_columns: Sequence[Column],
    objects: Sequence[ExportedObject],
) -> str:
    """Return the manifest of an export: the same for the same objects, whenever it is written."""
    described = {
        "version": _VERSION,
        "file_format": form.name,
        "compression": form.compression,
        "columns": [form.described(column) for column in columns],
        "partition_by": [column.described() for column in partition_columns],
    }
    return _text(described, [asdict(each) for each in objects])


def combined_text(manifests: Sequence[Mapping[str, Any]]) -> str:
    """
    Return one manifest over those of all shards, the objects in their order.

    Raises OSSInvalidArgument when shards with objects have other columns, or columns of other types.
    """
    first, *others = [each for each in manifests if each["pieces"]] or manifests[:1]
    for other in others:
        for name in _SHARED:
            if other[name] != first[name]:
                raise OSSInvalidArgument(
                    f"the shards of the export differ in {name}: {_differing(first[name], other[name])}: let "
                    "the query decide the types (CAST; in SQLite arithmetic), then clear the tasks of all shards"
                )
    described = {name: first[name] for name in _SHARED}
    return _text(described, [piece for each in manifests for piece in each["pieces"]])


def _differing(one: Any, other: Any) -> str:
    """Return in words where two lists of columns, or two texts, differ first."""
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        one, other = next((pair for pair in zip(one, other, strict=True) if pair[0] != pair[1]), (one, other))
    return f"{one} and {other}"


def _text(described: Mapping[str, Any], pieces: Sequence[Mapping[str, Any]]) -> str:
    manifest = {
        **described,
        "rows": sum(each["rows"] for each in pieces),
        "bytes": sum(each["bytes"] for each in pieces),
        "pieces": pieces,
    }
    return json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"


def store_manifest(hook: OSSHook, ref: ObjectRef, text: str, options: ObjectOptionArguments) -> UploadResult:
    """Store a manifest with what the objects have, as far as that is not about their own content."""
    own: ObjectOptionArguments = {**options, "mime": "application/json", "headers": None, "callback": None}
    return hook.put_object(ref.uri, text, **own)
