"""Hypothesis strategies for the values that cross borders inside the package."""

from __future__ import annotations

from hypothesis import strategies as st

from airflow_provider_oss import limits
from airflow_provider_oss.model import Checkpoint, Fingerprint, ObjectRef

keys = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=limits.MAX_KEY_BYTES // 4
).filter(lambda key: key[0] not in "/\\")
"""Keys that OSS allows."""

sizes = st.integers(0, 50 * limits.TIB) | st.integers(0, 200)
"""Sizes of sources in bytes, some too large for OSS."""

part_sizes = st.integers(limits.MIN_PART_SIZE_BYTES, limits.MAX_PART_SIZE_BYTES)

checkpoints = st.builds(
    Checkpoint,
    ref=st.builds(ObjectRef, st.sampled_from(("exports", "other")), st.sampled_from(("a", "b")) | keys),
    upload_id=st.text("0123456789ABCDEF", max_size=32),
    part_size_bytes=part_sizes | st.integers(1, 10),
    source=st.builds(Fingerprint, st.text(max_size=20), sizes),
    options_digest=st.sampled_from(("0" * 16, "1" * 16)),
    attempt=st.integers(1, 1000),
    done_parts=st.sampled_from(("", "1", "1-57,60", "9999-10000")),
    done_bytes=st.integers(0, limits.TIB),
)
"""Checkpoints and intents (no upload id) that the package may have saved, whatever sense they make."""
