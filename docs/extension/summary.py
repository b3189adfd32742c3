"""The methods of a class as a table of links and first sentences."""

from __future__ import annotations

import inspect
import re
from typing import Any

from docs.extension.plain_text import as_rest

_PACKAGE = "airflow_provider_oss."


def methods_of(documented: type) -> dict[str, Any]:
    """Return the public methods that this package gives the class, by name and in the order of the source."""
    own = [kind for kind in documented.__mro__ if kind.__module__.startswith(_PACKAGE)]
    return {
        name: method
        for kind in reversed(own)
        for name, method in vars(kind).items()
        if inspect.isfunction(method) and not name.startswith("_")
    }


def summary_of(documented: type, full_name: str) -> list[str]:
    """Return the lines of the table."""
    head = ["", ".. list-table::", "   :header-rows: 1", "", "   * - Method", "     - What it does"]
    for name, method in methods_of(documented).items():
        head += [f"   * - :py:meth:`~{full_name}.{name}`", f"     - {as_rest([_first_sentence(method)], {})[0]}"]
    return [*head, ""]


def _first_sentence(method: Any) -> str:
    paragraph = (inspect.getdoc(method) or "").split("\n\n")[0]
    return re.split(r"(?<=[.])\s", " ".join(paragraph.split()))[0]
