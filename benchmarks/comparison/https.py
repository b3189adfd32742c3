"""1 GiB over https, every client told to send parts of 8 MiB, 4 at the same time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.comparison import report, verdicts
from benchmarks.comparison.compare import Setting, compare
from benchmarks.comparison.upload import PARALLEL, PART_SIZE_BYTES
from benchmarks.suite import Options, Result
from benchmarks.summary import MIB


def run(options: Options) -> Result:
    """
    Measure all clients.

    All of them verify the sink's certificate by an authority of this run: ours by its connection's ``verify``, the
    SDKs by REQUESTS_CA_BUNDLE, ali-oss by NODE_EXTRA_CA_CERTS, opendal by SSL_CERT_FILE, curl by CURL_CA_BUNDLE.
    """
    comparison = compare(Setting(PART_SIZE_BYTES, PARALLEL, is_https=True), options)
    return Result(
        name="https",
        title=f"{comparison.size_bytes // MIB} MiB of random bytes from the page cache, https, 4 x 8 MiB parts.",
        table=report.table(comparison),
        figures=comparison.figures(),
        verdicts=tuple(verdicts.half_of_v2(comparison.found)),
    )


def chart(figures: Mapping[str, Any]) -> bytes:
    """Return the figures as bars."""
    return report.chart("4 x 8 MiB parts, https", figures)
