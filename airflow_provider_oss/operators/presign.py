"""URLs that let others read or write one object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final

from airflow_provider_oss.operators.base import OSSBaseOperator, failing_at_once

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

_METHODS: Final = ("GET", "PUT", "HEAD", "DELETE")
_AN_HOUR: Final = timedelta(hours=1)


class OSSPresignURLOperator(OSSBaseOperator):
    """
    Returns a URL with which anybody may make one kind of request for one object until it expires.

    Nothing is sent to OSS: whether the object is there, and whether the AccessKey may do this, shows when the URL is
    used. Returns a dict: ``url``, ``method``, ``headers`` (to be sent exactly so), ``expires_at`` (ISO 8601, UTC).

    **Whoever has the URL can use it.** The signature, and a security token, are registered with Airflow's log masker:
    the logs of this task never hold them. The result is an XCom like any other: whoever may see XComs sees it; a task
    that takes it as an argument has it among its rendered templates; and at DEBUG the scheduler or worker that runs
    tasks writes every XCom into its own log. For ``oss_conn_id`` and ``region`` see OSSBaseOperator.

    :param key: object name, or a whole ``oss://bucket/key``. Templated.
    :param bucket_name: bucket; None for the connection's schema. Templated.
    :param method: GET, PUT, HEAD or DELETE; a URL for GET serves no HEAD. Templated.
    :param expires: a timedelta, seconds, or ISO 8601 such as ``PT12H``; with V4 signatures at most 7 days. A URL signed
        with a temporary AccessKey dies with its security token. Templated.
    :param headers: Content-Type and x-oss-* headers that the request must carry. Templated.
    :param query: query parameters that belong to the URL, such as response-content-disposition. Templated.
    """

    template_fields: Sequence[str] = (
        *OSSBaseOperator.template_fields, "key", "bucket_name", "method", "expires", "headers", "query",
    )  # fmt: skip
    template_fields_renderers: ClassVar[dict[str, str]] = {"headers": "json", "query": "json"}

    def __init__(
        self,
        *,
        key: str,
        bucket_name: str | None = None,
        method: str = "GET",
        expires: timedelta | float | str = _AN_HOUR,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.key = key
        self.bucket_name = bucket_name
        self.method = method
        self.expires = expires
        self.headers = headers
        self.query = query

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002 - Airflow's signature
        """Sign, and return the URL with what its holder needs to know."""
        with failing_at_once():
            return self._presign()

    def _presign(self) -> dict[str, Any]:
        from airflow.providers.common.compat.sdk import mask_secret

        from airflow_provider_oss.exceptions import OSSInvalidArgument
        from airflow_provider_oss.operators.durations import duration
        from airflow_provider_oss.presigned import secrets_of_url

        method, expires = self.method.upper(), duration("expires", self.expires)
        if method not in _METHODS:
            raise OSSInvalidArgument(f"method={self.method!r} cannot be presigned: use one of {', '.join(_METHODS)}")
        headers, query = _texts("headers", self.headers), _texts("query", self.query)
        expires_at = datetime.now(UTC) + timedelta(seconds=int(expires.total_seconds()))
        url = self.hook.sign_url(method, self.key, expires, self.bucket_name, headers=headers, params=query)
        for secret in secrets_of_url(url):
            mask_secret(secret)
        told = expires_at.isoformat(timespec="seconds")
        ref = self.hook.resolve(self.key, self.bucket_name)
        self.log.info("Presigned %s %s until %s at the latest", method, ref, told)
        return {"url": url, "method": method, "headers": headers, "expires_at": told}


def _texts(argument: str, values: Mapping[str, Any] | None) -> dict[str, str]:
    from airflow_provider_oss.options import mapping_of

    return {name: str(value) for name, value in mapping_of(argument, values).items()}
