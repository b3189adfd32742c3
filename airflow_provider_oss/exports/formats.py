"""The file formats by name: which writer, which compression where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from airflow_provider_oss.compression import check_compression, compressed, content_encoding, suffix
from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.exports.columns import Batches, Column
from airflow_provider_oss.exports.csv_lines import CsvFormat, csv_bytes, parse_csv_options
from airflow_provider_oss.exports.json_lines import json_lines_bytes
from airflow_provider_oss.exports.parquet import check_parquet, parquet_bytes

_MIMES: Final = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}
_COMPRESSED_MIMES: Final = {"gzip": "application/gzip", "zstd": "application/zstd"}


@dataclass(frozen=True, slots=True)
class FileFormat:
    """One kind of file, and how it is written."""

    name: str
    compression: str | None
    csv: CsvFormat

    def described_as(self, key: str) -> tuple[str, str | None]:
        """
        Return Content-Type and Content-Encoding of an object of this name.

        One whose name ends in the compression's suffix is a compressed file; any other is a file that travels
        compressed, which HTTP clients decompress. Parquet compresses its pages, which is its own affair.
        """
        if self.compression is None or self.name == "parquet":
            return _MIMES[self.name], None
        if key.endswith(suffix(self.compression)):
            return _COMPRESSED_MIMES[self.compression], None
        return _MIMES[self.name], content_encoding(self.compression)

    def file_bytes(self, columns: Sequence[Column], batches: Batches) -> Iterator[bytes]:
        """Yield one whole file with these rows."""
        if self.name == "parquet":
            return parquet_bytes(columns, batches, self.compression)
        plain = csv_bytes(columns, batches, self.csv) if self.name == "csv" else json_lines_bytes(columns, batches)
        return compressed(plain, self.compression)


def parse_format(name: str, compression: str | None, csv_options: Mapping[str, Any] | None) -> FileFormat:
    """Return the format. Raises OSSInvalidArgument when it is not known, or needs what is not installed."""
    if name not in _MIMES:
        raise OSSInvalidArgument(f"file_format={name!r} is not known: use {', '.join(map(repr, _MIMES))}")
    if csv_options and name != "csv":
        raise OSSInvalidArgument(f"csv_options are for file_format='csv', not {name!r}: leave them out")
    check_compression(compression)
    if name == "parquet":
        check_parquet()
    return FileFormat(name, compression, parse_csv_options(csv_options))
