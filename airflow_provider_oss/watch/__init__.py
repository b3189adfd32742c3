"""What sensors and triggers look at, and what it means: one look and one judgement for both."""

from typing import Final

MIN_POKE_INTERVAL_SECONDS: Final = 1.0
"""Between two looks: OSS bills each of them, and a wait without pauses would be nothing but looks."""
