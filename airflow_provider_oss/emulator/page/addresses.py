"""Where the pages are."""

from __future__ import annotations

from typing import Final

OVERVIEW: Final = "/-/"
STYLE: Final = f"{OVERVIEW}style.css"
BUCKETS: Final = f"{OVERVIEW}buckets/"
"""What stands before the name of a bucket."""
