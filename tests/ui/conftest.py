"""The app behind the page, and an Airflow database that tests write into as tasks and Airflow do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.airflow_home import DATABASE_NAME, prepare_home
from tests.support.airflow_version import HAS_PAGES

if TYPE_CHECKING:
    from tests.ui.rows import Rows

collect_ignore_glob = [] if HAS_PAGES else ["test_*.py"]  # the app is of Airflow 3.1 and later


@pytest.fixture
def rows(tmp_path: Path) -> Iterator[Rows]:
    """Airflow's database, empty but for what the test writes."""
    from tests.ui.rows import Rows  # noqa: PLC0415 - as above

    prepare_home(tmp_path)
    with Rows(tmp_path / DATABASE_NAME) as rows:
        yield rows
