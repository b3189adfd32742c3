"""The newer official SDK: ``alibabacloud_oss_v2``'s Uploader, with its record of the upload in a file."""

from __future__ import annotations

from typing import Any, Final

from benchmarks.clients.credentials import ACCESS_KEY_ID, ACCESS_KEY_SECRET, REGION
from benchmarks.job import Job

FRAMEWORK: Final = ()
LIBRARY: Final = ("alibabacloud_oss_v2",)


def upload(job: Job) -> None:
    """Upload with CRC-64, which is the default."""
    import alibabacloud_oss_v2 as oss

    config = oss.config.load_default()
    config.credentials_provider = oss.credentials.StaticCredentialsProvider(ACCESS_KEY_ID, ACCESS_KEY_SECRET)
    config.region = REGION
    config.endpoint = job.endpoint
    wanted: dict[str, Any] = {"part_size": job.part_size_bytes, "parallel_num": job.parallel}
    uploader = oss.Client(config).uploader(
        enable_checkpoint=True,
        checkpoint_dir=f"{job.work_folder}/",
        **{name: value for name, value in wanted.items() if value is not None},
    )
    uploader.upload_file(oss.PutObjectRequest(bucket=job.bucket, key=job.key), job.file_path)
