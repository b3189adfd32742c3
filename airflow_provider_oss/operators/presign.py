"""URLs that let others read or write one object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final

from airflow_provider_oss.operators.base import OSSBaseOperator

if TYPE_CHECKING:
    from typing import Unpack

    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_oss.model import PlainResult
    from airflow_provider_oss.operators import ConnectionKeywords

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

    key: str
    bucket_name: str | None
    method: str
    expires: timedelta | float | str
    headers: Mapping[str, str | float | bool] | None
    query: Mapping[str, str | float | bool] | None

    def __init__(
        self,
        *,
        key: str | XComArg,
        bucket_name: str | XComArg | None = None,
        method: str | XComArg = "GET",
        expires: timedelta | float | str | XComArg = _AN_HOUR,
        headers: Mapping[str, str | float | bool | XComArg] | XComArg | None = None,
        query: Mapping[str, str | float | bool | XComArg] | XComArg | None = None,
        **kwargs: Unpack[ConnectionKeywords],
    ) -> None:
        super().__init__(**kwargs)
        self._keep(key=key, bucket_name=bucket_name, method=method, expires=expires, headers=headers, query=query)

    def work(self, context: Context) -> PlainResult:  # noqa: ARG002 - nothing of it is needed
        """Sign, and return the URL with what its holder needs to know."""
        from airflow.providers.common.compat.sdk import mask_secret

        from airflow_provider_oss.exceptions import OSSInvalidArgument
        from airflow_provider_oss.model import PlainResult
        from airflow_provider_oss.quantities import duration
        from airflow_provider_oss.uri import secrets_of_url

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
        return PlainResult(
            {"url": url, "method": method, "headers": headers, "expires_at": told},
            f"Presigned {method} {ref} until {told} at the latest",
        )


def _texts(argument: str, values: Mapping[str, Any] | None) -> dict[str, str]:
    from airflow_provider_oss.options import mapping_of

    return {name: str(value) for name, value in mapping_of(argument, values).items()}
