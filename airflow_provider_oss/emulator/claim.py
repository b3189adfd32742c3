"""
The server's claim: what it answers, its limits, where it differs from OSS, and what it answers 501. As Markdown.

``python -m airflow_provider_oss.emulator.claim`` prints it; with the name of a page it writes it there, between its
marks.
"""

from __future__ import annotations

import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Final

from airflow_provider_oss.emulator.limits import GIB, KIB, MIB, Limits
from airflow_provider_oss.emulator.operations.routes import Level, routes
from airflow_provider_oss.emulator.subresources import (
    PLAIN,
    SELECTORS,
    SIGNED_BY_V1,
    UNKEPT_HEADERS,
    UNKEPT_OF_BUCKETS,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from dataclasses import Field
    from typing import Any

BEGIN: Final = "<!-- What follows is written by python -m airflow_provider_oss.emulator.claim docs/local_server.md -->"
END: Final = "<!-- So far. -->"

_DEVIATIONS: Final = """
- All that is there belongs to one account. The owner's key and STS sessions may do everything, a `RamUser` what its
  policies allow.
- A bucket's policy and tags are kept and returned; no request is held against the policy.
- Lifecycle rules may abort uploads and do nothing else. OSS applies them once a day, this server before it answers any
  request for the bucket, by its `clock`.
- Public access is blocked bucket by bucket, not by account. Policies are not looked at.
- Nothing is encrypted. The headers of server-side encryption are kept, and a KMS key that nobody named has an id of
  zeros.
- Storage classes are kept. What is archived cannot be read, for nothing can be restored.
- Callbacks are posted, and not signed.
- A copy has the ETag and the CRC-64 of its source; OSS may compute others for it. The ETags of multipart and appendable
  objects have OSS's form and not its values.
- Vector and table buckets are services of their own, with signatures of their own: a request for one is refused as
  badly signed.
- What has been written can be read and listed at once, and requests are never too many.
- Any host name will do: the bucket may be in it, in the path, or in the map of custom domains.
""".strip()
_LACKING: Final = (
    "any other query parameter without a value, and what has no route above",
    "PostObject forms, signature version 2, live channels, access points",
    "lifecycle rules with anything but `AbortMultipartUpload`",
)
_TITLES: Final = {Level.SERVICE: "the account", Level.BUCKET: "a bucket", Level.OBJECT: "an object"}
_UNITS: Final = ((GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB"), (1, "bytes"))


def claim() -> str:
    """Return the claim: headings of the third level, tables and lists."""
    sections = (_operations(), _limits(), _deviations(), _lacking())
    return "\n\n".join("\n".join(section) for section in sections)


def write_into(page: str) -> str:
    """Return the page with the claim between its marks. Raises ValueError when it has none."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page needs the lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{claim()}\n\n{END}{after}"


def _operations() -> Iterator[str]:
    yield "### What it answers"
    yield ""
    yield from _table(("Operation", "of", "Request"), _operation_rows())


def _operation_rows() -> Iterator[tuple[str, str, str]]:
    for route in routes():
        query = "&".join(route.selectors.split())
        request = f"{route.method} {f'?{query}' if query else ''}".strip()
        with_more = f" with `{route.condition}`" if route.condition else ""
        yield route.operation.name, _TITLES[route.level], f"`{request}`{with_more}"


def _limits() -> Iterator[str]:
    yield "### Its limits"
    yield ""
    yield "Each is a field of `Limits`, with OSS's own number as its default."
    yield ""
    yield from _table(("Limit", "Default"), map(_limit_row, fields(Limits)))


def _limit_row(limit: Field[Any]) -> tuple[str, str]:
    default = getattr(Limits(), limit.name)
    return f"`{limit.name}`", _size(default) if limit.name.endswith("_bytes") else f"{default:,}"


def _deviations() -> Iterator[str]:
    yield "### Where it differs from OSS"
    yield ""
    yield _DEVIATIONS


def _lacking() -> Iterator[str]:
    subresources = sorted(SIGNED_BY_V1 - SELECTORS - PLAIN)
    yield "### What it answers 501 NotImplemented"
    yield ""
    yield f"- the parameters {_names(subresources)}"
    yield f"- the headers {_names(sorted(UNKEPT_HEADERS))}; of a bucket also {_names(sorted(UNKEPT_OF_BUCKETS))}"
    yield from (f"- {lacking}" for lacking in _LACKING)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _size(size_bytes: int) -> str:
    """Return a size in the largest unit that divides it."""
    unit_bytes, unit = next(each for each in _UNITS if size_bytes % each[0] == 0)
    return f"{size_bytes // unit_bytes:,} {unit}"


def _main(arguments: Sequence[str]) -> None:
    for name in arguments:
        Path(name).write_text(write_into(Path(name).read_text("utf-8")), "utf-8")
    if not arguments:
        print(claim())  # noqa: T201 - the claim is what the program is for


if __name__ == "__main__":
    _main(sys.argv[1:])
