"""The ASGI application: one request from its arrival to its line in the ledger."""

from __future__ import annotations

import asyncio
import base64
import logging
import secrets
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_oss.emulator.access import check_access
from airflow_provider_oss.emulator.addressing import readings
from airflow_provider_oss.emulator.admin import is_admin_path, serve_admin
from airflow_provider_oss.emulator.authentication import Authenticated, Keyring, authenticate
from airflow_provider_oss.emulator.body import Body
from airflow_provider_oss.emulator.connection import TRANSPORT_EXTENSION, Connection, ConnectionGoneError
from airflow_provider_oss.emulator.errors import NotModifiedError, OSSError, not_implemented
from airflow_provider_oss.emulator.faults import Effects, Fault, Faults
from airflow_provider_oss.emulator.ledger import Ledger, RecordedRequest
from airflow_provider_oss.emulator.operations.call import Call, Environment, check_key, require_bucket
from airflow_provider_oss.emulator.operations.lifecycle import abort_expired_uploads
from airflow_provider_oss.emulator.operations.routes import find_operation
from airflow_provider_oss.emulator.page import page_for
from airflow_provider_oss.emulator.ram import needs
from airflow_provider_oss.emulator.sending import Sender
from airflow_provider_oss.emulator.wire.dates import http_date
from airflow_provider_oss.emulator.wire.http import (
    XML_CONTENT_TYPE,
    Request,
    Response,
    Target,
    parse_headers,
    parse_query,
)
from airflow_provider_oss.emulator.wire.xml import error_document

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_oss.emulator.connection import Message, Receive, Send

log = logging.getLogger(__name__)

_CODES_BY_STATUS: Final = {
    400: "InvalidArgument",
    403: "AccessDenied",
    404: "NoSuchKey",
    429: "QpsLimitExceeded",
    500: "InternalError",
}
_CREATE_BUCKETS: Final = {"PutBucket", "PutBucketAcl"}
_BODILESS: Final = {"GET", "HEAD"}
_LOGIN_PAGE: Final = b"<html><body>Please log in</body></html>"


class Gateway:
    """Authenticates, dispatches, answers and records every request."""

    def __init__(
        self,
        environment: Environment,
        keyring: Keyring,
        cname_buckets: Mapping[str, str],
        faults: Faults,
        ledger: Ledger,
        *,
        with_admin: bool,
    ) -> None:
        self.environment = environment
        self.keyring = keyring
        self.cname_buckets = {domain.lower(): bucket for domain, bucket in cname_buckets.items()}
        self.faults = faults
        self.ledger = ledger
        self.with_admin = with_admin
        self._open: set[Connection] = set()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request."""
        connection = Connection(scope["extensions"][TRANSPORT_EXTENSION], receive, send)
        self._open.add(connection)
        try:
            await _Exchange(self, _read_head(scope), connection).run()
        except ConnectionGoneError:
            connection.reset()
            await connection.wait_until_gone()
        finally:
            self._open.discard(connection)

    def reset_open_connections(self) -> None:
        """Cut every request that is being served, as the death of the server would."""
        for connection in self._open:
            connection.reset()


class _Exchange:
    """One request and its answer, and what the ledger will say of them."""

    def __init__(self, gateway: Gateway, request: Request, connection: Connection) -> None:
        self._gateway = gateway
        self._environment = gateway.environment
        self._request = request
        self._connection = connection
        self._request_id = secrets.token_hex(12).upper()
        self._started_at = self._environment.clock()
        self._started_monotonic = time.monotonic()
        self._operation = "Unknown"
        self._target = Target()
        self._effects = Effects()
        self._body: Body | None = None
        self._code: str | None = None
        self._recorded = False

    async def run(self) -> None:
        """Serve the request. Raises ConnectionGoneError when no answer could or should be given."""
        if (response := await self._beside_oss()) is not None:
            self._recorded = True
            return await self._send(response)
        try:
            await self._send(self._spoiled(await self._answer()))
        except (ConnectionGoneError, asyncio.CancelledError):
            self._record(None)
            raise
        except OSError as error:
            # The head is out already, so nothing but the end of the connection can tell the client.
            log.exception("sending the answer to request %s (%s) failed", self._request_id, self._operation)
            self._record(None)
            raise ConnectionGoneError from error
        return None

    async def _beside_oss(self) -> Response | None:
        """Return the answer to a request for the admin path or a page, None when it is one for OSS."""
        request, gateway = self._request, self._gateway
        if gateway.with_admin and is_admin_path(request.raw_path):
            return await serve_admin(request, self._connection, gateway.faults, gateway.ledger)
        return page_for(request, self._environment, gateway.faults, gateway.ledger)

    async def _answer(self) -> Response:
        """Return the response, whatever happens to the request."""
        try:
            return await self._dispatch()
        except NotModifiedError as unchanged:
            return Response(304, {"ETag": f'"{unchanged.etag}"'})
        except OSSError as error:
            return self._error_response(error)
        except ConnectionGoneError:
            raise
        except Exception:
            # The top frame of the work: a full disk or a defect is in the log, and the client hears what OSS would say.
            log.exception("request %s (%s) failed", self._request_id, self._operation)
            return self._error_response(OSSError("InternalError"))

    async def _dispatch(self) -> Response:
        request, environment = self._request, self._environment
        if request.method == "OPTIONS":
            raise not_implemented("CORS")  # a browser asks unsigned, and OSS answers before it looks who asks
        options = readings(request.header("host"), request.raw_path, self._gateway.cname_buckets)
        self._identify(options[0])
        authenticated = self._authenticate(options)
        self._identify(authenticated.target)
        operation = find_operation(request, authenticated.target)
        self._effects = self._gateway.faults.take(self._operation, self._target.key, self._part_number())
        self._body = Body(request, self._connection, self._effects, environment.limits.body_idle_timeout_seconds)
        await self._misbehave(self._body)
        if self._effects.foreign:
            await self._body.drain()
            self._record(None)
            return Response(200, {"Content-Type": "text/html"}, _LOGIN_PAGE)
        call = Call(environment, request, self._target, self._body, authenticated.is_owner, authenticated.user)
        if self._target.key:
            check_key(self._target.key, environment.limits)
        check_access(call, operation.access)
        if authenticated.user is not None:
            for need in needs(operation.name, request, self._target):
                authenticated.user.check(need)
        await abort_expired_uploads(call)
        return await operation.handler(call)

    def _authenticate(self, options: Sequence[Target]) -> Authenticated:
        """Return who sent the request and what it means. A bucket that is not there is reported before a bad key."""
        environment = self._environment
        try:
            return authenticate(
                self._request,
                options,
                self._gateway.keyring,
                region=environment.region,
                limits=environment.limits,
                now=environment.clock(),
            )
        except OSSError as error:
            if error.code == "InvalidAccessKeyId" and self._target.bucket and self._operation not in _CREATE_BUCKETS:
                require_bucket(environment.store, self._target.bucket)
            raise

    def _identify(self, target: Target) -> None:
        self._target = target
        try:
            self._operation = find_operation(self._request, target).name
        except OSSError:
            self._operation = "Unknown"

    def _part_number(self) -> int | None:
        text = self._request.parameter("partNumber")
        return int(text) if text.isascii() and text.isdigit() else None

    async def _misbehave(self, body: Body) -> None:
        """Do what the faults say should happen instead of the work. Raises OSSError or ConnectionGoneError."""
        if self._effects.latency_seconds:
            await self._connection.pause(self._effects.latency_seconds)
        if self._effects.resets("before"):
            raise ConnectionGoneError
        if self._effects.stall:
            await body.drain()
            await self._connection.wait_until_gone()
            raise ConnectionGoneError
        if self._effects.error is not None:
            await body.drain()
            raise _scripted_error(self._effects.error)

    def _spoiled(self, response: Response) -> Response:
        """Return the response as the faults leave it. Raises ConnectionGoneError when they leave nothing."""
        if self._effects.resets("after"):
            raise ConnectionGoneError
        if self._effects.response_body is None:
            return response
        return replace(response, status=200, content=self._effects.response_body)

    def _error_response(self, error: OSSError) -> Response:
        self._code = error.code
        host = self._request.header("host").partition(":")[0]
        xml = error_document(error, request_id=self._request_id, host=host)
        headers = {**error.headers, "Content-Type": XML_CONTENT_TYPE, **({"x-oss-ec": error.ec} if error.ec else {})}
        if self._request.method == "HEAD":
            headers["x-oss-err"] = base64.b64encode(xml).decode("ascii")
            return Response(error.status, headers)
        return Response(error.status, headers, xml)

    async def _send(self, response: Response) -> None:
        headers = {} if self._effects.foreign else self._common_headers()
        blobs = self._environment.store.blobs
        sender = Sender(self._connection, blobs, self._effects, self._request.method, headers, self._record)
        await sender.send(response)

    def _common_headers(self) -> dict[str, str]:
        """Return the headers of every answer. Nobody reads the body of a GET: no request can follow one."""
        promises_body = self._request.header("content-length", "0") != "0"
        return {
            **({"Connection": "close"} if promises_body and self._request.method in _BODILESS else {}),
            "Server": "AliyunOSS",
            "Date": http_date(self._environment.clock()),
            "x-oss-request-id": self._request_id,
            "x-oss-server-time": str(int((time.monotonic() - self._started_monotonic) * 1000)),
        }

    def _record(self, status: int | None) -> None:
        """Write the request into the ledger, once."""
        if self._recorded:
            return
        self._recorded = True
        record = RecordedRequest(
            operation=self._operation,
            method=self._request.method,
            bucket=self._target.bucket,
            key=self._target.key,
            part_number=self._part_number(),
            upload_id=self._request.parameter("uploadId") or None,
            bytes_received=self._body.bytes_received if self._body else 0,
            status=status,
            code=self._code,
            request_id=self._request_id,
            user_agent=self._request.header("user-agent"),
            started_at=self._started_at,
            ended_at=self._environment.clock(),
            range=self._request.header("range") or self._request.header("x-oss-copy-source-range"),
        )
        self._gateway.ledger.add(record)


def _read_head(scope: Mapping[str, Any]) -> Request:
    return Request(
        scope["method"], scope["raw_path"], parse_query(scope["query_string"]), parse_headers(scope["headers"])
    )


def _scripted_error(fault: Fault) -> OSSError:
    code = fault.code or _CODES_BY_STATUS.get(fault.status or 0, "ServiceUnavailable")
    return OSSError(code, fault.message, status=fault.status)
