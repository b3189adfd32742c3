"""
Callbacks: after an object is stored, the application's own server is called, and its answer goes to the client.

The real OSS signs these requests with a key of its own. This server has no such key and sends them unsigned.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import http.client
import json
import re
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote_plus, urlsplit

from airflow_provider_oss.emulator.errors import OSSError, invalid_argument
from airflow_provider_oss.emulator.wire.http import Response, encode_percent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_oss.emulator.limits import Limits
    from airflow_provider_oss.emulator.state.records import ObjectRecord
    from airflow_provider_oss.emulator.wire.http import Request

FORM: Final = "application/x-www-form-urlencoded"
JSON: Final = "application/json"
_VARIABLE: Final = re.compile(r"\$\{([^}]*)\}")
_OK: Final = 200


@dataclass(frozen=True, slots=True)
class Callback:
    """The request that the client wants to be sent when the object is stored."""

    urls: tuple[str, ...]
    host: str
    body: str
    body_type: str
    variables: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Answer:
    """The application's answer, which must be JSON."""

    body: bytes
    content_type: str


def read_callback(request: Request, limits: Limits) -> Callback | None:
    """
    Return the callback in the headers or the query, None when there is none. Raises OSSError 400 for a bad one.

    Custom variables have names in lower case that begin with ``x:``; others are ignored.
    """
    text = _either(request, "callback")
    if not text:
        return None
    fields = _decode("callback", text)
    given = _decode("callback-var", _either(request, "callback-var")) if _either(request, "callback-var") else {}
    variables = {name: value for name, value in given.items() if name.startswith("x:") and name == name.lower()}
    urls = tuple(url.strip() for url in fields.get("callbackUrl", "").split(";") if url.strip())
    if not 1 <= len(urls) <= limits.max_callback_urls or not fields.get("callbackBody"):
        raise _invalid("callback", "The callback needs a callbackBody and one to five URLs.")
    body_type = fields.get("callbackBodyType", FORM)
    if body_type not in (FORM, JSON):
        raise _invalid("callback", "The callbackBodyType is invalid.")
    urls = tuple(url if "://" in url else f"http://{url}" for url in urls)
    return Callback(urls, fields.get("callbackHost", ""), fields["callbackBody"], body_type, variables)


async def answer_through_callback(
    callback: Callback | None, record: ObjectRecord, response: Response, limits: Limits
) -> Response:
    """
    Return the response to the client: the application's answer in place of the body when there is a callback.

    Raises OSSError 203 CallbackFailed when the application did not answer 200 with JSON; the object is stored then.
    """
    if callback is None:
        return response
    body = fill(callback, record).encode()
    failures = []
    for url in callback.urls:
        try:
            answer = await asyncio.to_thread(_post, callback, url, body, limits)
        except _FailedError as error:
            failures.append(f"{url}: {error}")
            continue
        headers = {**response.headers, "Content-Type": answer.content_type}
        return Response(_OK, headers, answer.body)
    headers = {name: value for name, value in response.headers.items() if name != "Content-Type"}
    raise OSSError("CallbackFailed", f"Error status : {'; '.join(failures)}", headers=headers)


def fill(callback: Callback, record: ObjectRecord) -> str:
    """Return the body to send, its variables filled in: as JSON values, or percent-encoded in a form."""
    values: dict[str, str | int] = {
        "bucket": record.bucket,
        "object": record.key,
        "etag": record.etag,
        "size": record.size,
        "mimeType": record.metadata.content_type,
        "crc64": str(record.crc64),
        "contentMd5": record.md5_base64,
        **callback.variables,
    }
    write = json.dumps if callback.body_type == JSON else _form_value
    return _VARIABLE.sub(lambda match: write(values.get(match[1], "")), callback.body)


class _FailedError(Exception):
    """One URL did not answer as it should."""


def _post(callback: Callback, url: str, body: bytes, limits: Limits) -> _Answer:
    headers = {"Content-Type": callback.body_type, "User-Agent": "aliyun-oss-callback"}
    if callback.host:
        headers["Host"] = callback.host
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects)
    try:
        request = urllib.request.Request(_encoded(url), data=body, headers=headers, method="POST")  # noqa: S310 - http(s)
        with opener.open(request, timeout=limits.callback_timeout_seconds) as answer:
            if answer.status != _OK:
                raise _FailedError(f"status {answer.status}")
            return _read(answer, limits.max_callback_answer_bytes)
    except urllib.error.HTTPError as error:
        with error:
            raise _FailedError(f"status {error.code}") from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise _FailedError(str(error)) from error


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirection is not a 200."""

    def redirect_request(self, *_: object) -> None:
        """Follow none."""


def _read(answer: Any, max_bytes: int) -> _Answer:
    if answer.headers.get("Content-Length") is None:
        raise _FailedError("the answer has no Content-Length")
    body: bytes = answer.read(max_bytes + 1)
    try:
        json.loads(body)
    except ValueError as error:
        raise _FailedError("the answer is no JSON") from error
    if len(body) > max_bytes:
        raise _FailedError("the answer is too large")
    return _Answer(body, answer.headers.get("Content-Type", JSON))


def _encoded(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        raise ValueError("no http or https URL")
    return parts._replace(path=encode_percent(parts.path, safe="/%:@!$&'()*+,;=")).geturl()


def _form_value(value: str | int) -> str:
    return quote_plus(str(value))


def _either(request: Request, name: str) -> str:
    return request.header(f"x-oss-{name}") or request.parameter(name)


def _decode(name: str, text: str) -> dict[str, str]:
    try:
        data = json.loads(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError) as error:
        raise _invalid(name, f"The {name} configuration is not Base64 encoded JSON.") from error
    if not isinstance(data, dict):
        raise _invalid(name, f"The {name} configuration is no JSON object.")
    return {str(key): value if isinstance(value, str) else json.dumps(value) for key, value in data.items()}


def _invalid(name: str, message: str) -> OSSError:
    return invalid_argument(name, "", message, ec="0007-00000001")
