"""ObjectStoragePath in a real Airflow: the example DAG."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_provider_oss.limits import MIB
from tests.integration.conftest import random_file

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.uploading import Uploads

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("airflow")]


def test_object_storage(uploads: Uploads, folder: Path) -> None:
    """The example writes, reads, lists and copies through ObjectStoragePath, and transfers a file in parts."""
    dump = random_file(folder / "transferred.csv", 20 * MIB)
    run_id = uploads.trigger("oss_object_storage", file_path=str(dump))
    assert uploads.airflow.wait_for_run("oss_object_storage", run_id) == "success"

    report = "".join(f"{number},{number * number}\n" for number in range(1000)).encode()
    for name, content in {"report.csv": report, "kept.csv": report, "dump.csv": dump.read_bytes()}.items():
        assert uploads.bucket.get_object(f"object-storage/{run_id}/{name}").read() == content
    assert uploads.airflow.xcom("oss_object_storage", run_id, "summarize") == {"lines": 1000, "files": 2}
    stored = uploads.bucket.head_object(f"object-storage/{run_id}/report.csv")
    assert stored.headers["Content-Type"] == "text/csv"
    uploads.assert_nothing_left()
