"""The CRC-64 of a source, read in several threads: for comparing it with an object that may be equal."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from airflow_provider_oss.crc64 import EMPTY, combine, crc64
from airflow_provider_oss.model import Part
from airflow_provider_oss.ports import SourceReader
from airflow_provider_oss.transfer.cancellation import Cancellation
from airflow_provider_oss.transfer.plan import make_plan, whole


def source_crc64(reader: SourceReader, parallel: int, cancellation: Cancellation) -> int:
    """
    Return the CRC-64 of the whole source, ``parallel`` parts of it in memory at a time.

    Raises OSSSourceChanged when it changes meanwhile, and OSSUploadCancelled.
    """

    def checksum(part: Part) -> int:
        return crc64(reader.data(part))

    crc = EMPTY
    pool = ThreadPoolExecutor(parallel, thread_name_prefix="oss-source-checksum")
    try:
        parts = tuple(make_plan(whole(reader).size_bytes))
        checksums: Iterator[int] = pool.map(checksum, parts)
        for part, of_part in zip(parts, checksums, strict=True):
            cancellation.check()
            crc = combine(crc, of_part, part.size_bytes)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    reader.check_unchanged()
    return crc
