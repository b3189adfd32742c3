"""The rows of the matrix as Markdown, for docs/versions.md. Pure."""

from __future__ import annotations

from typing import Final

from tests.matrix.rows import LOWEST, OLDEST, ROOT, ROWS

BEGIN: Final = "<!-- matrix:begin -->"
END: Final = "<!-- matrix:end -->"


def rendered() -> str:
    """Return a table of what the suite runs on, an Airflow a row."""
    lines = ["| Airflow | Python | pins |", "|---|---|---|"]
    for airflow in dict.fromkeys(row.airflow for row in ROWS):
        rows = [row for row in ROWS if row.airflow == airflow]
        pythons = ", ".join(row.python for row in rows)
        lines.append(f"| {_name(airflow)} | {pythons} | `{rows[0].constraints.relative_to(ROOT)}` |")
    return "\n".join(lines)


def _name(airflow: str) -> str:
    return f"{OLDEST}.0, with the lowest versions that `pyproject.toml` allows" if airflow == LOWEST else airflow
