"""The rows of the matrix."""

from __future__ import annotations

from tests.matrix.rows import NEWEST, OLDEST, OLDEST_PYTHON, ROOT, ROWS, Row, left_out


def test_what_is_left_out_exists() -> None:
    """What a row leaves out has not moved: else it would run there after all."""
    assert [path for path in left_out(Row(OLDEST, OLDEST_PYTHON), is_short=True) if not (ROOT / path).exists()] == []


def test_only_the_newest_airflow_is_distributed() -> None:
    """The pins of the others have nothing of what an Airflow of two nodes needs."""
    assert {row.airflow for row in ROWS if row.is_distributed} == {NEWEST}
