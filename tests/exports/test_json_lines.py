"""JSON Lines: one object a row, every value as its kind has it."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.exports.columns import Batch, Column, Kind
from airflow_provider_oss.exports.formats import json_lines_bytes


def test_rows() -> None:
    """Each row is a line, in the order of the columns, with null for NULL."""
    columns = [Column("z"), Column('a "b"\n', Kind.TEXT), Column("j", Kind.JSON)]
    batches: list[Batch] = [[(None, "", None), (0, "é\n", '{"x":\n1.10}')], [], [(Decimal("1.50"), "\u2028", "null")]]
    chunks = list(json_lines_bytes(columns, batches))
    assert b"".join(chunks).decode() == (
        '{"z":null,"a \\"b\\"\\n":"","j":null}\n'
        '{"z":0,"a \\"b\\"\\n":"é\\n","j":{"x": 1.10}}\n'
        '{"z":1.50,"a \\"b\\"\\n":"\u2028","j":null}\n'
    )
    lines = [json.loads(line, parse_float=Decimal) for line in b"".join(chunks).split(b"\n")[:-1]]
    assert [line["z"] for line in lines] == [None, 0, Decimal("1.50")]
    assert len(chunks) == 3


def test_no_rows() -> None:
    """Without rows there is nothing."""
    assert b"".join(json_lines_bytes([Column("a")], [])) == b""


def test_two_columns_of_one_name() -> None:
    """A name that is there twice would lose a value in most readers."""
    with pytest.raises(OSSInvalidArgument, match="2 columns are called 'a'"):
        list(json_lines_bytes([Column("a"), Column("a")], []))
