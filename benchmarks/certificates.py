"""A certificate authority of this run alone, and the certificate of the sink that it signs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

_NAMES: Final = ("127.0.0.1", "localhost", "benchmark.oss-cn-hangzhou.aliyuncs.com")
"""The last one is ali-oss's: it asks for bucket and region in the host's name, whatever endpoint it is given."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """PEM files."""

    certificate: Path
    key: Path
    authority: Path
    """What clients have to trust."""


def write_certificate(folder: Path) -> Certificate:
    """Make an authority and a certificate for the loopback; the files are in ``folder``."""
    import trustme

    authority = trustme.CA()
    server = authority.issue_cert(*_NAMES)
    made = Certificate(folder / "server.pem", folder / "server.key", folder / "authority.pem")
    made.certificate.write_bytes(b"".join(blob.bytes() for blob in server.cert_chain_pems))
    made.key.write_bytes(server.private_key_pem.bytes())
    authority.cert_pem.write_to_path(str(made.authority))
    return made
