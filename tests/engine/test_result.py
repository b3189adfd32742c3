"""What a finished upload hands back."""

from __future__ import annotations

import pytest

from airflow_provider_oss.engine.progress import make_result
from airflow_provider_oss.model import ObjectRef, Progress, StoredObject, UploadResult


def test_everything_that_is_known_is_in_the_result() -> None:
    """The object's address, what OSS said of it, and what this attempt did for it."""
    stored = StoredObject("ETAG", 5, version_id="V", request_id="R", callback_response={"Status": "OK"})

    result = make_result(
        ObjectRef("exports", "a"), stored, 2**64 - 1, Progress(9, 4, 5), attempts=3, elapsed_seconds=1.23456
    )

    assert result == UploadResult(
        bucket="exports",
        key="a",
        uri="oss://exports/a",
        size=9,
        etag="ETAG",
        crc64="18446744073709551615",
        version_id="V",
        request_id="R",
        attempts=3,
        resumed=True,
        bytes_sent=4,
        bytes_verified=5,
        elapsed_seconds=1.235,
        callback_response={"Status": "OK"},
    )


@pytest.mark.parametrize(("verified_bytes", "resumed"), [(0, False), (1, True)])
def test_using_what_was_stored_is_resuming(verified_bytes: int, resumed: bool) -> None:  # noqa: FBT001 - a table
    """An attempt has resumed when it found something stored that it needed not to send."""
    progress = Progress(9, 9 - verified_bytes, verified_bytes)

    result = make_result(ObjectRef("exports", "a"), StoredObject("E", 1), 1, progress, attempts=1, elapsed_seconds=0)

    assert result.resumed is resumed
