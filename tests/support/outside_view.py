"""An upload seen from outside: through the official client and Airflow's database, not through the code under test."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_oss.limits import MIB
from airflow_provider_oss.proof import EMPTY, crc64
from tests.conftest import BUCKET, KEY_ID, KEY_SECRET, REGION

with warnings.catch_warnings():  # invalid escape sequences in oss2, reported when it is compiled
    warnings.simplefilter("ignore")
    import oss2

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.local_airflow import LocalAirflow

_CHECKPOINT_KEY = "oss_upload_checkpoint"


def official_bucket(endpoint: str) -> oss2.Bucket:
    """Return the bucket as oss2 has it."""
    return oss2.Bucket(oss2.AuthV4(KEY_ID, KEY_SECRET), endpoint, BUCKET, region=REGION, enable_crc=False)


@dataclass(frozen=True, slots=True)
class UnfinishedUpload:
    """A multipart upload that the server still holds."""

    key: str
    upload_id: str


def unfinished_uploads(bucket: oss2.Bucket) -> list[UnfinishedUpload]:
    """Return all unfinished multipart uploads of the bucket."""
    return [UnfinishedUpload(upload.key, upload.upload_id) for upload in oss2.MultipartUploadIterator(bucket)]


def stored_parts(bucket: oss2.Bucket, upload: UnfinishedUpload) -> dict[int, int]:
    """Return number and size in bytes of the parts that the server holds of an unfinished upload."""
    return {part.part_number: part.size for part in oss2.PartIterator(bucket, upload.key, upload.upload_id)}


def checkpoints(airflow: LocalAirflow) -> dict[str, dict[str, Any]]:
    """Return every checkpoint that Airflow holds anywhere, by the store's name and that of its task instance."""
    found = [("variable", json.loads(text)) for key, text in airflow.variables().items() if _is_ours(key)]
    found += [("xcom", row.value) for row in airflow.xcom_rows() if _is_ours(row.key)]
    found += [("task_state", row.value) for row in airflow.task_state_rows() if _is_ours(row.key)]
    return {f"{store} {record['owner']}": record for store, record in found}


@dataclass(frozen=True, slots=True)
class Comparison:
    """An object, downloaded whole, against a file."""

    equal: bool
    """Every byte is."""
    downloaded_crc64: int
    file_crc64: int
    told_crc64: int
    """What the server tells of the object."""


def compare(bucket: oss2.Bucket, key: str, file: Path) -> Comparison:
    """Download the object and read the file, side by side and in constant memory."""
    answer = bucket.get_object(key)
    equal, downloaded, read = True, EMPTY, EMPTY
    with file.open("rb") as expected:
        while True:
            theirs, ours = answer.read(MIB), expected.read(MIB)
            if not theirs and not ours:
                return Comparison(equal, downloaded, read, answer.server_crc)
            equal = equal and theirs == ours
            downloaded, read = crc64(theirs, downloaded), crc64(ours, read)


def _is_ours(key: str) -> bool:
    return key.startswith(_CHECKPOINT_KEY)
