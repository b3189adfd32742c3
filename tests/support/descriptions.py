"""A description of objects in which every field is given, whatever fields there are."""

from __future__ import annotations

from dataclasses import Field, fields
from typing import Any, Final

from airflow_provider_oss.model import ObjectDescription

DESCRIBED: Final[tuple[Field[Any], ...]] = fields(ObjectDescription)
NAMES: Final = [one.name for one in DESCRIBED]
NOT_SHOWN: Final = {"tags"}
"""What HeadObject does not tell."""

_VALUES: Final = {
    "mime": ("text/csv", "text/plain"),
    "meta": ({"rows": "7", "from": "sourcé"}, {"rows": "7"}),
    "headers": ({"cache-control": "no-store", "content-encoding": "identity"}, {"cache-control": "no-cache"}),
    "storage_class": ("IA", "Archive"),
    "tags": ({"kind": "dump ü"}, {"kind": "other"}),
}


def given(name: str) -> Any:
    """Return a value of the field."""
    return _VALUES.get(name, ("de", "en"))[0]


def another(name: str) -> Any:
    """Return a value that is another one."""
    return _VALUES.get(name, ("de", "en"))[1]


FULL: Final[dict[str, Any]] = {name: given(name) for name in NAMES}
"""The arguments of ``parse_options`` that give every field."""
