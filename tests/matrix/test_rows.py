"""The rows of the matrix."""

from __future__ import annotations

from tests.matrix.rows import OLDEST, OLDEST_PYTHON, ROOT, Row, left_out


def test_what_is_left_out_exists() -> None:
    """What a row leaves out has not moved: else it would run there after all."""
    assert [path for path in left_out(Row(OLDEST, OLDEST_PYTHON), is_short=True) if not (ROOT / path).exists()] == []
