"""From an HTTP server to OSS."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_oss.operators.resumable import OSSResumableBaseOperator

if TYPE_CHECKING:
    from typing import Unpack

    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_oss.model import UploadResult
    from airflow_provider_oss.operators import ResumableKeywords
    from airflow_provider_oss.options import ObjectOptionArguments
    from airflow_provider_oss.sources.http import HttpSource, HttpStream
    from airflow_provider_oss.sources.http_request import HttpRequest


class HttpToOSSOperator(OSSResumableBaseOperator):
    """
    Stores what an HTTP server answers, streamed: it is never whole in memory or on disk.

    Connection, authentication and request are those of Airflow's HttpOperator. A server that supports ranges, and tells
    a strong ETag, is read by ``parallel`` + 1 threads; a retried attempt goes on where the last one stopped, unless the
    ETag is another one. Any other answer is read forward, by a retried attempt from its beginning, and what OSS holds
    already is not sent again. An answer that breaks off, is shorter than it said, or changes while it is read never
    makes an object.

    A redirect to another host, port or scheme gets no headers of the connection or of the task but those that say what
    is asked for (Accept, User-Agent and the like), no login, cookie or client certificate; one that would take a body
    there fails. From http to https of the same host all of it goes on.

    1xx, 5xx (but 501 and 505), 408, 425, 429 and broken connections are tried again; a POST or PATCH only by Airflow's
    retries. Other errors of the server fail the task at once. Nothing shows or saves the URL's user, password and
    query.

    The object gets the answer's Content-Type, if a header can hold it, unless ``mime`` is given, and its
    Content-Encoding unless it is decompressed; compression is asked for only by ``decompress``, or by
    ``request_headers``.

    For the other arguments see OSSResumableBaseOperator. It needs apache-airflow-providers-http: the extra ``http``.

    :param endpoint: what follows the connection's host: ``/exports/{{ ds }}.csv``. Templated.
    :param method: as of HttpOperator, but GET unless it is given.
    :param data: parameters of a GET, body of anything else. Templated.
    :param request_headers: headers of the request; ``headers`` are those of the object. Templated.
    :param http_conn_id: id of the Airflow connection of type http. Templated.
    :param auth_type: authentication of requests, called with login and password; None is basic. It signs requests in
        several threads at once.
    :param extra_options: verify, cert, proxies, timeout (10 s to connect and 60 s in which nothing moves unless it is
        given), allow_redirects, max_redirects, as of HttpOperator. Templated.
    :param request_kwargs: more arguments of ``requests.Request``: auth, cookies, files, hooks, json. Templated.
    :param use_ranges: False reads every answer forward.
    :param decompress: store what a gzip or deflate answer holds.
    :param trust_connection_close: take an answer without length and chunks for whole when the connection is closed:
        one that broke off looks the same.
    """

    template_fields: Sequence[str] = (
        *OSSResumableBaseOperator.template_fields, "endpoint", "method", "data", "request_headers", "http_conn_id",
        "extra_options", "request_kwargs",
    )  # fmt: skip
    transfer_kind = "http"
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **OSSResumableBaseOperator.template_fields_renderers, "request_headers": "json", "data": "py",
    }  # fmt: skip

    endpoint: str
    method: str
    data: Mapping[str, Any] | Sequence[Any] | str | bytes | None
    request_headers: Mapping[str, str] | None
    http_conn_id: str
    auth_type: Callable[..., Any] | None
    extra_options: Mapping[str, Any] | None
    request_kwargs: Mapping[str, Any] | None
    use_ranges: bool
    decompress: bool
    trust_connection_close: bool
    _asked = ""

    def __init__(  # noqa: PLR0913 - HttpOperator's, and three of its own
        self,
        *,
        endpoint: str | XComArg,
        method: str | XComArg = "GET",
        data: Mapping[str, Any] | Sequence[Any] | str | bytes | XComArg | None = None,
        request_headers: Mapping[str, str | XComArg] | XComArg | None = None,
        http_conn_id: str | XComArg = "http_default",
        auth_type: Callable[..., Any] | None = None,
        extra_options: Mapping[str, Any] | XComArg | None = None,
        request_kwargs: Mapping[str, Any] | XComArg | None = None,
        use_ranges: bool = True,
        decompress: bool = False,
        trust_connection_close: bool = False,
        **kwargs: Unpack[ResumableKeywords],
    ) -> None:
        super().__init__(**kwargs)
        self._keep(
            endpoint=endpoint,
            method=method,
            data=data,
            request_headers=request_headers,
            http_conn_id=http_conn_id,
            auth_type=auth_type,
            extra_options=extra_options,
            request_kwargs=request_kwargs,
            use_ranges=use_ranges,
            decompress=decompress,
            trust_connection_close=trust_connection_close,
        )

    def work(self, context: Context) -> UploadResult:
        """Ask the server, and store what it answers."""
        from airflow_provider_oss.shown import Log
        from airflow_provider_oss.sources.http import AnswerOptions, HttpSource, open_http

        resumable = self.resumable_arguments(context)
        request = self._request(connections=resumable["parallel"])
        self._asked = request.name
        answer = open_http(
            request,
            use_ranges=self.use_ranges,
            options=AnswerOptions(self.decompress, self.trust_connection_close),
            retry=self.hook.retry,
        )
        try:
            described = self._described(answer)
            if isinstance(answer, HttpSource):
                Log(__name__).info("%s: %d bytes, read in ranges", request.name, answer.found.size_bytes)
                return self.hook.upload_source(self.key, answer, self.bucket_name, **resumable, **described)
            Log(__name__).info("%s: read forward", request.name)
            return self.hook.upload_stream(self.key, answer, self.bucket_name, **resumable, **described)
        finally:
            answer.close()
            request.session.close()

    def sources(self) -> Sequence[str]:
        """Return the URL, without what may be secret in it."""
        return (self._asked,)

    def _request(self, connections: int) -> HttpRequest:
        """Return the request: what the connection says is read here, in the main thread."""
        from airflow.providers.common.compat.sdk import mask_secret

        from airflow_provider_oss.options import mapping_of
        from airflow_provider_oss.sources.http_request import (
            DEFAULT_TIMEOUT_SECONDS,
            HttpRequest,
            accepting,
            request_arguments,
            widen,
        )

        wanted_headers = mapping_of("request_headers", self.request_headers)
        arguments = request_arguments(self.request_kwargs)
        method = self.method.upper()
        http, session, url = self._connected(method)
        widen(session, connections)
        options = http.merged_extra
        is_get = method == "GET"
        request = HttpRequest(
            session=session,
            method=method,
            url=url,
            params=self.data if is_get else None,
            data=None if is_get else self.data,
            headers=accepting(session.headers, wanted_headers, compressed=self.decompress),
            arguments=arguments,
            timeout_seconds=options.get("timeout") or DEFAULT_TIMEOUT_SECONDS,
            allow_redirects=options.get("allow_redirects", True),
        )
        if request.query:
            mask_secret(request.query)  # at level DEBUG, urllib3 logs it
        return request

    def _connected(self, method: str) -> tuple[Any, Any, str]:
        """Return Airflow's hook, its session and the URL. What it says of a wrong host names a password: not shown."""
        from airflow_provider_oss.exceptions import OSSInvalidConnection
        from airflow_provider_oss.options import mapping_of
        from airflow_provider_oss.transfers.opened import http_hook

        options = dict(mapping_of("extra_options", self.extra_options))
        http = http_hook()(method=method, http_conn_id=self.http_conn_id, auth_type=self.auth_type)
        with suppress(ValueError):
            session = http.get_conn(None, options)
            return http, session, http.url_from_endpoint(self.endpoint)
        raise OSSInvalidConnection(
            f"HTTP connection {self.http_conn_id!r} makes no URL: check its schema, host and port, and extra_options"
        )

    def _described(self, answer: HttpSource | HttpStream) -> ObjectOptionArguments:
        from airflow_provider_oss.sources.http import HttpStream

        encoding = answer.content_encoding if isinstance(answer, HttpStream) and not self.decompress else None
        return self.object_options(answer.content_type, encoding)
