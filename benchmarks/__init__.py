"""Measures this package against the official SDKs for Python: ``python -m benchmarks --help``."""
