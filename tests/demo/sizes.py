"""Sizes for people."""

from __future__ import annotations

from airflow_provider_oss.limits import KIB, MIB


def unit_for(size_bytes: int) -> tuple[str, int]:
    """Return the name and the size in bytes of the unit that suits a size."""
    return ("MiB", MIB) if size_bytes >= MIB else ("KiB", KIB) if size_bytes >= KIB else ("bytes", 1)


def in_unit(size_bytes: int, unit_bytes: int) -> str:
    """Return the number alone."""
    return f"{size_bytes / unit_bytes:,.1f}" if unit_bytes > 1 else str(size_bytes)


def in_words(size_bytes: int) -> str:
    """Return the number and its unit."""
    name, unit_bytes = unit_for(size_bytes)
    return f"{in_unit(size_bytes, unit_bytes)} {name}"
