"""What the hook does with objects that are there."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from airflow_provider_oss import limits
from airflow_provider_oss.exceptions import OSSInvalidArgument, OSSNoSuchKey
from airflow_provider_oss.hooks.base import OSSBaseHook
from airflow_provider_oss.model import (
    ListedObject,
    ObjectInfo,
    Page,
)
from airflow_provider_oss.options import ObjectOptionArguments, parse_options
from airflow_provider_oss.transfer.deletion import delete_all
from airflow_provider_oss.transfer.download import download
from airflow_provider_oss.transfer.reading import read_whole
from airflow_provider_oss.transfer.source import path_text

if TYPE_CHECKING:
    from airflow_provider_oss.clients.object_client import ObjectBody


class OSSObjectHook(OSSBaseHook):
    """Reads, lists, copies, deletes and signs."""

    # Reading

    def head_object(self, key: str, bucket_name: str | None = None) -> ObjectInfo:
        """Describe an object. Raises OSSNoSuchKey."""
        return self._calls.head_object(self.resolve(key, bucket_name))

    def object_exists(self, key: str, bucket_name: str | None = None) -> bool:
        """Whether the object is there. Only OSS's "no such key" means no; everything else that fails raises."""
        try:
            self.head_object(key, bucket_name)
        except OSSNoSuchKey:
            return False
        return True

    def get_object(
        self, key: str, bucket_name: str | None = None, byte_range: tuple[int | None, int | None] | None = None
    ) -> ObjectBody:
        """
        Open an object for reading: ``read(size)``, iteration, ``with``.

        :param byte_range: (first, last), both included; (None, n) means the last n bytes, (n, None) from n to the end.
        """
        return self._retrying(self._client.get_object, self.resolve(key, bucket_name), byte_range)

    def read_object(
        self,
        key: str,
        bucket_name: str | None = None,
        byte_range: tuple[int | None, int | None] | None = None,
        if_match: str | None = None,
    ) -> bytes:
        """
        Return an object's bytes, or a range of them: all of them and, of a whole object, with the right CRC-64.

        One request, repeated when it breaks off.

        :param byte_range: as in ``get_object``; it must begin inside the object.
        :param if_match: an ETag; when the object has another one by now, OSSSourceChanged is raised.
        """
        ref = self.resolve(key, bucket_name)
        return self._retrying(read_whole, lambda: self._client.get_object(ref, byte_range, if_match))

    def download_file(self, key: str, file_path: str | os.PathLike[str], bucket_name: str | None = None) -> ObjectInfo:
        """
        Write an object to ``file_path``: whole and with the right CRC-64, or not at all.

        It is written beside and renamed; a download that fails leaves the old file as it was.
        """
        ref = self.resolve(key, bucket_name)
        return self._retrying(download, lambda: self._client.get_object(ref, None), Path(path_text(file_path)))

    def list_objects(
        self, prefix: str = "", bucket_name: str | None = None, delimiter: str = ""
    ) -> Iterator[ListedObject]:
        """Yield the objects whose key begins with ``prefix``, by key; pages as it goes. ``delimiter`` cuts subtrees."""
        for page in self.list_pages(prefix, bucket_name, delimiter):
            yield from page.items

    def list_pages(
        self, prefix: str = "", bucket_name: str | None = None, delimiter: str = "", most: int = 1000
    ) -> Iterator[Page[ListedObject]]:
        """Yield pages of at most ``most`` entries (1 to 1000): objects and, with ``delimiter``, common prefixes."""
        bucket = self.resolve_bucket(bucket_name)
        token: str | None = ""
        while token is not None:
            page = self._retrying(self._client.list_objects, bucket, prefix, delimiter, token, most)
            yield page
            token = page.next_token

    def list_buckets(self) -> list[str]:
        """Return the names of all buckets of the account."""
        return self._retrying(self._client.list_buckets)

    # Changing

    def copy_object(
        self,
        source_key: str,
        key: str,
        source_bucket_name: str | None = None,
        bucket_name: str | None = None,
        **options: Unpack[ObjectOptionArguments],
    ) -> ObjectInfo:
        """
        Copy an object inside OSS (in one region, up to 1 GB) and describe the copy.

        With mime, meta, headers, storage_class or tags the copy gets these in place of the source's.
        """
        parsed = parse_options(**options)
        changed = any((parsed.mime, parsed.meta, parsed.headers, parsed.storage_class, parsed.tags))
        source, target = self.resolve(source_key, source_bucket_name), self.resolve(key, bucket_name)
        return self._retrying(self._client.copy_object, source, target, parsed, replace_metadata=changed)

    def delete_object(self, key: str, bucket_name: str | None = None) -> None:
        """Delete an object. That it is not there is no error."""
        self._retrying(self._client.delete_object, self.resolve(key, bucket_name))

    def delete_objects(self, keys: Iterable[str], bucket_name: str | None = None) -> list[str]:
        """Delete many objects of one bucket, 1000 a request; return the keys that OSS reports, missing ones too."""
        bucket = self.resolve_bucket(bucket_name)
        wanted = [self.resolve(key, bucket).key for key in keys]
        return [key for reported in delete_all(self._client, self._retrying, bucket, wanted) for key in reported]

    # Signing

    def sign_url(
        self,
        method: str,
        key: str,
        expires: timedelta | float,
        bucket_name: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> str:
        """
        Return a URL that lets its holder make one kind of request until it expires. Whoever has it can: do not log it.

        :param method: "GET", "PUT", ...; a URL for GET does not serve HEAD.
        :param expires: a ``timedelta`` (or pendulum Duration) or seconds; with V4 signatures at most 7 days.
        :param headers: headers that the request will carry and that are signed: Content-Type, x-oss-*.
        :param params: query parameters that belong to the URL, such as response-content-disposition.
        """
        seconds = int(expires.total_seconds() if isinstance(expires, timedelta) else expires)
        if seconds < 1:
            raise OSSInvalidArgument(f"expires={expires!r} is not in the future: give a positive duration")
        if self.settings.signature_version == "v4" and seconds > limits.MAX_PRESIGN_V4_SECONDS:
            raise OSSInvalidArgument(
                f"expires={expires!r} is longer than the 7 days a V4 signature may live: shorten it, or set "
                "signature_version to v1"
            )
        return self._client.sign_url(
            self.resolve(key, bucket_name), method.upper(), seconds, headers or {}, params or {}
        )
