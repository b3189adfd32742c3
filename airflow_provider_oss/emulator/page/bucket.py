"""The page of a bucket: its objects, page by page, and its uploads in progress."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import islice
from typing import TYPE_CHECKING, Final

from airflow_provider_oss.emulator.page.html import Markup, element, long_text, section, table
from airflow_provider_oss.emulator.page.uploads import upload_list
from airflow_provider_oss.emulator.readable import moment, size
from airflow_provider_oss.emulator.wire.http import encode_percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_oss.emulator.state.records import ObjectRecord
    from airflow_provider_oss.emulator.state.store import Store, Upload

_MOST_OBJECTS: Final = 200
_MOST_UPLOADS: Final = 100


def bucket_page(store: Store, bucket: str, prefix: str, after: str) -> Markup:
    """Return the content of the page: of the objects whose keys begin with the prefix, those that follow ``after``."""
    keys = store.keys(bucket)
    first = max(bisect_left(keys, prefix), bisect_right(keys, after) if after else 0)
    found = [key for key in islice(keys, first, first + _MOST_OBJECTS + 1) if key.startswith(prefix)]
    shown = found[:_MOST_OBJECTS]
    is_last = len(found) <= _MOST_OBJECTS
    objects = [record for key in shown if (record := store.object(bucket, key)) is not None]
    return element(
        "main",
        section("Objects", _search(prefix), _table(objects), *([] if is_last else [_next(prefix, shown[-1])])),
        section("Uploads in progress", upload_list(_uploads(store, bucket, prefix), _MOST_UPLOADS)),
    )


def _uploads(store: Store, bucket: str, prefix: str) -> Sequence[Upload]:
    wanted = ((key, upload_id) for key, upload_id in store.uploads(bucket) if key.startswith(prefix))
    found = (store.upload(bucket, key, upload_id) for key, upload_id in islice(wanted, _MOST_UPLOADS + 1))
    return [upload for upload in found if upload is not None]


def _search(prefix: str) -> Markup:
    box = element("label", "Keys that begin with ", element("input", name="prefix", value=prefix, type="search"))
    return element("form", box, " ", element("button", "Show"), method="get")


def _table(objects: Sequence[ObjectRecord]) -> Markup:
    headings = ("Key", "Size", "Modified (UTC)", "Kind", "Content type", "Storage class", "ETag", "CRC-64")
    return table(headings, map(_row, objects), "There is none.")


def _row(record: ObjectRecord) -> tuple[str, ...]:
    return (
        long_text(record.key),
        size(record.size),
        moment(record.modified_at),
        record.kind,
        long_text(record.metadata.content_type),
        record.metadata.storage_class,
        record.etag,
        str(record.crc64),
    )


def _next(prefix: str, last: str) -> Markup:
    query = f"?prefix={encode_percent(prefix)}&after={encode_percent(last)}"
    return element("p", element("a", "Next objects", href=query))
