"""The older official SDK: ``oss2.resumable_upload``, which keeps a record of the upload in a file."""

from __future__ import annotations

from typing import Final

from benchmarks.clients.credentials import ACCESS_KEY_ID, ACCESS_KEY_SECRET, REGION
from benchmarks.job import Job

FRAMEWORK: Final = ()
LIBRARY: Final = ("oss2",)


def upload(job: Job) -> None:
    """Upload with CRC-64, which is the default. Arguments that are None are its defaults."""
    import oss2

    provider = oss2.credentials.StaticCredentialsProvider(ACCESS_KEY_ID, ACCESS_KEY_SECRET)
    bucket = oss2.Bucket(oss2.ProviderAuthV4(provider), job.endpoint, job.bucket, region=REGION, enable_crc=True)
    oss2.resumable_upload(
        bucket,
        job.key,
        job.file_path,
        store=oss2.ResumableStore(root=job.work_folder),
        multipart_threshold=job.part_size_bytes,
        part_size=job.part_size_bytes,
        num_threads=job.parallel,
    )
