"""opendal, a client in Rust: its writer sends parts at the same time. It resumes nothing and compares no checksum."""

from __future__ import annotations

from typing import Any, Final

from benchmarks.clients.credentials import ACCESS_KEY_ID, ACCESS_KEY_SECRET, REGION
from benchmarks.job import Job

FRAMEWORK: Final = ()
LIBRARY: Final = ("opendal",)
_READ_BYTES: Final = 8 * 1024 * 1024


def upload(job: Job) -> None:
    """Read the file in blocks of a part and write them."""
    import opendal

    operator = opendal.Operator(
        "oss",
        bucket=job.bucket,
        endpoint=job.endpoint,
        addressing_style="path",
        access_key_id=ACCESS_KEY_ID,
        access_key_secret=ACCESS_KEY_SECRET,
        region=REGION,
    )
    wanted: dict[str, Any] = {"chunk": job.part_size_bytes, "concurrent": job.parallel}
    options = {name: value for name, value in wanted.items() if value is not None}
    block_bytes = job.part_size_bytes or _READ_BYTES
    with open(job.file_path, "rb", buffering=0) as file, operator.open(job.key, "wb", **options) as writer:  # noqa: PTH123
        while block := file.read(block_bytes):
            writer.write(block)
