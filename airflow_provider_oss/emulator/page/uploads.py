"""Uploads in progress, and the parts that arrived of each."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from airflow_provider_oss.emulator.page.html import Markup, element, table
from airflow_provider_oss.emulator.readable import moment, place, ranges, size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_oss.emulator.state.store import Upload

_MOST_PARTS: Final = 200


def upload_list(uploads: Sequence[Upload], most: int) -> Markup:
    """Return so many of the uploads at most, each with its parts folded; where there are more, a line says so."""
    if not uploads:
        return element("p", "There is none.", class_="empty")
    more = [element("p", f"The first {most} are shown.", class_="empty")] if len(uploads) > most else []
    return element("div", *(_upload(upload) for upload in uploads[:most]), *more)


def _upload(upload: Upload) -> Markup:
    parts = upload.parts
    total = size(sum(part.size for part in parts.values()))
    arrived = f"{len(parts)} parts ({ranges(upload.numbers)}), {total}" if parts else "no part yet"
    summary = element(
        "summary",
        element("strong", place(upload.record.bucket, upload.record.key)),
        element("span", f" {arrived}, begun {moment(upload.record.initiated_at)} UTC"),
    )
    rows = (
        (
            str(number),
            size(parts[number].size),
            parts[number].etag,
            str(parts[number].crc64),
            moment(parts[number].modified_at),
        )
        for number in islice(upload.numbers, _MOST_PARTS)
    )
    shown = table(("Part", "Size", "ETag", "CRC-64", "Arrived (UTC)"), rows, "No part has arrived.")
    rest = len(upload.numbers) - _MOST_PARTS
    more = [element("p", f"{rest} more parts are not shown.", class_="empty")] if rest > 0 else []
    return element("details", summary, element("p", f"Upload id {upload.record.upload_id}"), shown, *more)
