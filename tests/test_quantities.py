"""Numbers and sizes as users write them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.limits import GIB, KIB, MIB, TIB
from airflow_provider_oss.quantities import size_in_bytes, whole_number


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, None), (5, 5), ("5", 5), (" 5\n", 5), (5.0, 5), ("5.0", 5), ("1e3", 1000), (Decimal(7), 7), ("-1", -1)],
)
def test_whole_numbers(value: Any, expected: int | None) -> None:
    """A number is one in any form that has no fraction."""
    assert whole_number("parallel", value) == expected
    assert size_in_bytes("part_size", value) == expected


def test_what_none_means() -> None:
    """None is the default, of which there need not be one; nothing else is."""
    assert (whole_number("n", None, 5), size_in_bytes("n", None, 7)) == (5, 7)
    assert (whole_number("n", 0, 5), size_in_bytes("n", "0", 7)) == (0, 0)
    assert (whole_number("n", None), size_in_bytes("n", None)) == (None, None)


@pytest.mark.parametrize(
    "value", ["", "many", 2.5, "2.5", True, [1], b"5", float("nan"), float("inf"), "nan", "1e999999999", "5 B"]
)
def test_what_is_no_whole_number(value: Any) -> None:
    """Anything else is an error that names argument and value."""
    with pytest.raises(OSSInvalidArgument, match=r"^parallel=.* is no whole number$"):
        whole_number("parallel", value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(("8 MiB", 8 * MIB), ("8MiB", 8 * MIB), ("8 MB", 8 * MIB), ("8 mb", 8 * MIB), (" 8  mib ", 8 * MIB)),
        *(
            ("100 KB", 100 * KIB),
            ("100 KiB", 100 * KIB),
            ("5 GB", 5 * GIB),
            ("1.5 GiB", GIB + GIB // 2),
            ("2 TB", 2 * TIB),
        ),
        *(("7 B", 7), ("0 MiB", 0)),
    ],
)
def test_units(text: str, expected: int) -> None:
    """A size may have a unit, of 1,024 bytes and its powers, as OSS has them."""
    assert size_in_bytes("part_size", text) == expected


@pytest.mark.parametrize(
    "text", ["8 M", "8 Mbit", "8 MiBit", "MiB", "8,5 MiB", "-8 MiB", "1.0001 KiB", "8 PiB", "8 8 MiB"]
)
def test_what_is_no_size(text: str) -> None:
    """What is no size, or not a whole number of bytes, is an error that shows what one looks like."""
    with pytest.raises(OSSInvalidArgument, match=f"^part_size='{text}' is no whole number of bytes: .* '8 MiB'"):
        size_in_bytes("part_size", text)
