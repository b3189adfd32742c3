"""The formats by name."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.exports.columns import Column
from airflow_provider_oss.exports.formats import parse_format


@pytest.mark.parametrize(
    ("name", "compression", "key", "expected"),
    [
        ("csv", None, "a.csv", ("text/csv; charset=utf-8", None)),
        ("csv", "gzip", "a.csv.gz", ("application/gzip", None)),
        ("csv", "gzip", "a.csv", ("text/csv; charset=utf-8", "gzip")),
        ("jsonl", "zstd", "a.jsonl.zst", ("application/zstd", None)),
        ("jsonl", "zstd", "a.jsonl.gz", ("application/x-ndjson", "zstd")),
        ("parquet", "gzip", "a.parquet", ("application/vnd.apache.parquet", None)),
    ],
)
def test_described_as(name: str, compression: str | None, key: str, expected: tuple[str, str | None]) -> None:
    """A name with the compression's suffix is a compressed file, any other a file that travels compressed."""
    assert parse_format(name, compression, None).described_as(key) == expected


@pytest.mark.parametrize(("name", "start"), [("csv", b"a\n1\n"), ("jsonl", b'{"a":1}\n'), ("parquet", b"PAR1")])
def test_file_bytes(name: str, start: bytes) -> None:
    """Each name leads to its writer; compression is around csv and jsonl, and inside parquet."""
    columns = [Column("a")]
    assert b"".join(parse_format(name, None, None).file_bytes(columns, [[(1,)]])).startswith(start)
    data = b"".join(parse_format(name, "gzip", None).file_bytes(columns, [[(1,)]]))
    assert data.startswith(start) if name == "parquet" else gzip.decompress(data) == start


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("xlsx", None, None), "file_format='xlsx' is not known: use 'csv', 'jsonl', 'parquet'"),
        (("csv", "bzip2", None), "compression='bzip2'"),
        (("jsonl", None, {"header": True}), "csv_options are for file_format='csv', not 'jsonl'"),
        (("csv", None, {"header": 1}), "csv_options: header=1"),
    ],
)
def test_refused(arguments: tuple[Any, ...], message: str) -> None:
    """What is not known is refused by name, before anything is read."""
    with pytest.raises(OSSInvalidArgument, match=message):
        parse_format(*arguments)
