"""What every client signs with. The sink checks no signature, but making one is part of the work."""

from typing import Final

ACCESS_KEY_ID: Final = "benchmark"
ACCESS_KEY_SECRET: Final = "benchmark-secret"
REGION: Final = "cn-hangzhou"
