"""Rows as JSON Lines, in UTF-8: one object a line, its members in the order of the columns, NULL as null."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from json.encoder import encode_basestring

from airflow_provider_oss.exports.columns import Batches, Column, check_unique_names
from airflow_provider_oss.exports.values import json_converter


def json_lines_bytes(columns: Sequence[Column], batches: Batches) -> Iterator[bytes]:
    """Yield the lines of each batch of rows. Raises OSSInvalidArgument when two columns share a name."""
    check_unique_names(columns, "jsonl")
    members = [(f"{encode_basestring(column.name)}:", json_converter(column)) for column in columns]
    for batch in batches:
        lines = [
            ",".join(
                [
                    f"{name}null" if value is None else name + convert(value)
                    for (name, convert), value in zip(members, row, strict=True)
                ]
            )
            for row in batch
        ]
        yield "".join([f"{{{line}}}\n" for line in lines]).encode()
