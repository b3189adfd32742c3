"""What a user names as a source, opened: a file of this worker, of a storage, or what an HTTP server has."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_oss.limits import DEFAULT_PARALLEL

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

    from airflow_provider_oss.ports import Source
    from airflow_provider_oss.sources.http_request import HttpRequest


@contextmanager
def opened_source(
    given: str | os.PathLike[str], conn_id: str | None, connections: int = DEFAULT_PARALLEL
) -> Iterator[Source]:
    """
    Yield what can be read at any offset: a file of this worker, of a storage, or what a server has.

    Raises OSSInvalidSource for what can only be read forward, or is several files.
    """
    from airflow_provider_oss.engine.source import FileSource, path_text

    scheme = _scheme(given)
    if scheme in {"http", "https"} and isinstance(given, str):
        with _http_source(given, conn_id, connections) as source:
            yield source
    elif scheme or hasattr(given, "fs"):
        yield _storage_source(given, conn_id)
    else:
        yield FileSource(path_text(given, "source"))


def _scheme(given: Any) -> str:
    """Return the scheme of a URL; nothing for a path."""
    from airflow_provider_oss.exceptions import OSSInvalidArgument
    from airflow_provider_oss.uri import redacted

    if not isinstance(given, str) or "://" not in given:
        return ""
    try:
        return urlsplit(given).scheme
    except ValueError as error:
        raise OSSInvalidArgument(f"source={redacted(given)!r} is no URL: {error}") from None


def _storage_source(given: Any, conn_id: str | None) -> Source:
    from airflow_provider_oss.exceptions import OSSInvalidArgument
    from airflow_provider_oss.sources.object_storage import select

    found = select([given], conn_id, open_storage)
    if len(found) != 1:
        raise OSSInvalidArgument(f"source={given!r} is {len(found)} files: name one")
    return found[0].source


@contextmanager
def _http_source(url: str, conn_id: str | None, connections: int) -> Iterator[Source]:
    from airflow_provider_oss.engine.retry import RetryPolicy
    from airflow_provider_oss.exceptions import OSSInvalidSource
    from airflow_provider_oss.sources.http import AnswerOptions, HttpSource, open_http

    request = request_of_url(url, conn_id, connections)
    try:
        answer = open_http(request, use_ranges=True, options=AnswerOptions(), retry=RetryPolicy())
        try:
            if not isinstance(answer, HttpSource):
                raise OSSInvalidSource(
                    f"{request.name} cannot be read by many tasks: its server does not support ranges, or tells no "
                    "strong ETag; use HttpToOSSOperator"
                )
            yield answer
        finally:
            answer.close()
    finally:
        request.session.close()


def open_storage(scheme: str, conn_id: str | None) -> AbstractFileSystem:
    """Return Airflow's filesystem. Raises OSSInvalidSource when no provider that is installed has one."""
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    from airflow_provider_oss.exceptions import OSSInvalidSource

    try:
        return ObjectStoragePath(f"{scheme}://", conn_id=conn_id).fs
    except (ImportError, ValueError) as error:
        raise OSSInvalidSource(
            f"source: {scheme}:// cannot be read here: install the provider that brings it, such as "
            f"apache-airflow-providers-amazon[s3fs] for s3:// ({error})"
        ) from error


def request_of_url(url: str, conn_id: str | None, connections: int) -> HttpRequest:
    """
    Return the GET of a whole URL, with the login and the headers of a connection of type http, if one is given.

    Raises OSSInvalidConnection when that is of another server: its secrets are for its own.
    """
    from airflow.providers.common.compat.sdk import mask_secret

    from airflow_provider_oss.exceptions import OSSInvalidConnection
    from airflow_provider_oss.sources.http_request import HttpRequest, accepting, new_session, widen
    from airflow_provider_oss.uri import shown

    session = new_session()
    if conn_id is not None:
        http = http_hook()(method="GET", http_conn_id=conn_id)
        session = http.get_conn(None, {})
        if not url.startswith(f"{(http.base_url or '').rstrip('/')}/"):
            raise OSSInvalidConnection(
                f"HTTP connection {conn_id!r} is not of the server of {shown(url)}: leave it out"
            )
    widen(session, connections)
    request = HttpRequest(session, "GET", url, headers=accepting(session.headers, {}, compressed=False))
    if query := request.query:
        mask_secret(query)  # at level DEBUG, urllib3 logs it
    return request


def http_hook() -> Any:
    """Return Airflow's HttpHook. Raises OSSInvalidArgument where its provider is not installed."""
    from airflow_provider_oss.exceptions import OSSInvalidArgument

    try:
        from airflow.providers.http.hooks.http import HttpHook
    except ImportError as error:
        raise OSSInvalidArgument(
            f"this needs Airflow's HTTP provider: install airflow-provider-oss with the extra http ({error})"
        ) from error
    return HttpHook
