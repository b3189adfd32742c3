"""
``oss://bucket/key`` as the URI of an Airflow asset, and back. Provider key ``asset-uris``.

Elsewhere in this package such an address has the key as it is. An asset's URI is a real URI: Airflow cuts it at ``#``
and ``?`` and, for some databases, it has to be ASCII. So the key is percent-encoded here, and decoded for OpenLineage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote, urlsplit

from airflow.providers.common.compat.sdk import Asset

from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.model import ObjectPrefix, ObjectRef
from airflow_provider_oss.uri import SCHEME

if TYPE_CHECKING:
    from urllib.parse import SplitResult

    from airflow.providers.common.compat.openlineage.facet import Dataset

_PLAIN: Final = "/:@!$&'()*+,;=~"
"""What a path may hold as it is (RFC 3986), beside letters, digits and ``-._``."""


def create_asset(*, bucket: str, key: str, extra: dict[str, Any] | None = None) -> Asset:
    """
    Return the asset of an object, of all below a prefix, or with key "" of a bucket.

    The key is given as it is. Name and URI are the same text, which has no slash at its end: ``a/b/`` and ``a/b`` are
    one asset, and ``Asset(asset.uri)`` is it too. Raises ValueError for what OSS would refuse, or when the URI is
    longer than Airflow allows (1,500 characters).
    """
    named = key.rstrip("/")
    if key and not named:
        raise ValueError(f"key={key!r} is no key: give a key, a prefix such as 'a/', or '' for the whole bucket")
    return Asset(uri=f"{SCHEME}{bucket}/{quote(named, safe=_PLAIN)}", extra=extra)


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """
    Return the one form of all URIs of an object: the key percent-encoded, no connection, no slash at the end.

    ``oss://connection@bucket/key`` loses the connection: whoever reads an object, it is the same. Raises ValueError for
    what OSS would refuse, and for a query: a question mark of the key is ``%3F``. (Airflow drops what follows a ``#``
    before it asks, which is ``%23`` in a key.)
    """
    if uri.query:
        raise ValueError(
            f"URI {uri.geturl()!r} has a query: write a question mark of the key as %3F, or use create_asset"
        )
    bucket = uri.netloc.rpartition("@")[2]
    try:
        key = unquote(uri.path, errors="strict").removeprefix("/").rstrip("/")
        ObjectRef(bucket, key) if key else ObjectPrefix(bucket, "")
    except (OSSInvalidArgument, UnicodeDecodeError) as error:
        raise ValueError(f"URI {uri.geturl()!r} must look like oss://bucket/key: {error}") from error
    return uri._replace(netloc=bucket, path=f"/{quote(key, safe=_PLAIN)}")


def convert_asset_to_openlineage(asset: Asset, lineage_context: Any) -> Dataset:  # noqa: ARG001 - Airflow gives it
    """Return OpenLineage's name of the asset: namespace ``oss://bucket``, and the key as it is ("/" for a bucket)."""
    from airflow.providers.common.compat.openlineage.facet import Dataset

    namespace, name = openlineage_name(asset)
    return Dataset(namespace=namespace, name=name)


def openlineage_name(asset: Asset) -> tuple[str, str]:
    """Return namespace and name of an asset with an ``oss://`` URI."""
    parts = urlsplit(asset.uri)
    return f"{SCHEME}{parts.netloc}", unquote(parts.path).removeprefix("/") or "/"
