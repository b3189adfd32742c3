"""The rows of the table, by what is hostile about them."""

from __future__ import annotations

from typing import Final

from tests.hostile.exchanges import Row
from tests.hostile.rows import answers, bodies, early, endless, heads, interim, unasked

SECTIONS: Final[dict[str, tuple[Row, ...]]] = {
    "interim answers": interim.ROWS,
    "heads": heads.ROWS,
    "bodies": bodies.ROWS,
    "without end, or slow": endless.ROWS,
    "early answers": early.ROWS,
    "answers nobody asked for, and connections that end": unasked.ROWS,
    "answers that are well formed and wrong": answers.ROWS,
}
ROWS: Final = tuple(row for rows in SECTIONS.values() for row in rows)
