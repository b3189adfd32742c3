"""The numbers that OSS enforces, as arguments: a test may want parts of one byte."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB
GIB: Final = 1024 * MIB


@dataclass(frozen=True, slots=True)
class Limits:
    """OSS's limits, with OSS's own numbers as defaults. Sizes are in bytes, times in seconds."""

    min_part_size_bytes: int = 100 * KIB
    """Smallest size of every part but the last; checked at CompleteMultipartUpload, as OSS does."""
    max_part_size_bytes: int = 5 * GIB
    max_put_size_bytes: int = 5 * GIB
    """Largest body of PutObject and largest total of an appendable object."""
    max_copy_size_bytes: int = 1 * GIB
    """Largest source of CopyObject; larger objects are copied by UploadPartCopy."""
    max_parts: int = 10_000
    max_listed: int = 1000
    """Upper bound of max-keys, max-parts and max-uploads."""
    default_max_keys: int = 100
    max_key_bytes: int = 1023
    max_buckets: int = 100
    max_deleted_keys: int = 1000
    max_delete_body_bytes: int = 2 * MIB
    max_complete_body_bytes: int = 4 * MIB
    max_document_bytes: int = 64 * KIB
    """Largest XML body of the small operations (tagging, bucket configuration)."""
    max_user_metadata_bytes: int = 8 * KIB
    max_tags: int = 10
    max_bucket_tags: int = 20
    max_tag_key_chars: int = 128
    max_tag_value_chars: int = 256
    min_traffic_limit_bits_per_second: int = 819_200
    max_traffic_limit_bits_per_second: int = 838_860_800
    max_clock_skew_seconds: float = 900.0
    max_presign_seconds: int = 604_800
    """Longest life of a URL presigned with signature version 4."""
    body_idle_timeout_seconds: float = 60.0
    """A body that delivers no byte for this long is answered 400 RequestTimeout."""
    callback_timeout_seconds: float = 5.0
    max_callback_urls: int = 5
    max_callback_answer_bytes: int = 1 * MIB
