"""
OSS's numbers, with their units.

Sources: the OSS API pages PutObject, UploadPart, CompleteMultipartUpload, DeleteMultipleObjects, and "Object naming
conventions".
"""

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB
GIB: Final = 1024 * MIB
TIB: Final = 1024 * GIB

MIN_PART_SIZE_BYTES: Final = 100 * KIB
"""Smallest part, the last one excepted (UploadPart)."""

MAX_PART_SIZE_BYTES: Final = 5 * GIB
MAX_PARTS: Final = 10_000
MAX_PUT_SIZE_BYTES: Final = 5 * GIB
MAX_COPY_SIZE_BYTES: Final = GIB
"""What one CopyObject copies in every case; the copy of a larger object is made by UploadPartCopy (CopyObject)."""
MAX_OBJECT_SIZE_BYTES: Final = MAX_PARTS * MAX_PART_SIZE_BYTES
"""48.8 TB, as OSS rounds it."""

DEFAULT_PARALLEL: Final = 5
"""Parts sent at the same time unless a user says otherwise: the default of the ali-oss SDK."""

MAX_PARALLEL: Final = 100

MAX_KEY_BYTES: Final = 1023
MAX_KEYS_PER_DELETE: Final = 1000
MAX_PRESIGN_V4_SECONDS: Final = 7 * 24 * 3600
"""Longest life of a V4 presigned URL (EC 0002-00000232)."""

MAX_TAGS: Final = 10
MAX_TAG_KEY_CHARS: Final = 128
MAX_TAG_VALUE_CHARS: Final = 256

MIN_TRAFFIC_LIMIT_BITS: Final = 819_200
MAX_TRAFFIC_LIMIT_BITS: Final = 838_860_800
"""Bounds of x-oss-traffic-limit, in bit/s (EC 0004-00000502)."""

MIN_POKE_INTERVAL_SECONDS: Final = 1.0
"""Between two looks of a sensor: OSS bills each of them, and a wait without pauses would be nothing but looks."""

MAX_MAPPED_TASKS: Final = 1024
"""How many tasks Airflow makes of a mapped one unless its ``[core] max_map_length`` says otherwise."""

MAX_UNFINISHED_OF_A_TASK: Final = 4
"""Of many files: large ones that may have failed in the middle, each with a checkpoint of its own."""
