"""Tests of the record of a transfer, where it is kept, and the metrics."""
