"""Stand-ins for the services that hand out temporary AccessKeys: ECS metadata, STS, a credentials URI."""

from __future__ import annotations

import base64
import hmac
import itertools
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, quote_plus, unquote

from airflow_provider_oss.emulator import StsSession
from tests.support.web_server import Answer, WebRequest, WebServer

METADATA = "/latest/meta-data/ram/security-credentials/"
METADATA_TOKEN = "/latest/api/token"


@dataclass
class Bank:
    """Makes sessions, one after the other; ``register`` learns of each before it is handed out."""

    lifetime_seconds: float = 3600.0
    register: Callable[[StsSession], None] = lambda _: None
    said_lifetime_seconds: float | None = None
    """What the services say instead of when it really expires."""
    sessions: list[StsSession] = field(default_factory=list)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def issue(self) -> dict[str, str]:
        """Make a session; return it as the services write it."""
        number, now = next(self._numbers), time.time()
        session = StsSession(
            f"STS.number{number}",
            f"sEcReT+of/number{number}=",
            f"tOkEn+of/number{number}=",
            now + self.lifetime_seconds,
        )
        self.register(session)
        self.sessions.append(session)
        said = now + (self.said_lifetime_seconds if self.said_lifetime_seconds is not None else self.lifetime_seconds)
        return {
            "AccessKeyId": session.access_key_id,
            "AccessKeySecret": session.access_key_secret,
            "SecurityToken": session.security_token,
            "Expiration": datetime.fromtimestamp(said, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }

    @property
    def secrets(self) -> dict[str, str]:
        """Everything that no log may show."""
        return {
            f"{kind} {number}": secret
            for number, one in enumerate(self.sessions, 1)
            for kind, secret in (("secret", one.access_key_secret), ("token", one.security_token))
        }


def of_json(status: int, document: Mapping[str, Any]) -> Answer:
    """Return an answer that is a JSON document."""
    return of_text(status, json.dumps(document))


def of_text(status: int, text: str) -> Answer:
    """Return an answer that is a text."""
    return Answer(status, {"Content-Length": str(len(text.encode()))}, text.encode())


def serve_uri(web: WebServer, bank: Bank, path: str = "/credentials") -> str:
    """Hand out sessions at a path of the server; return its URI."""
    web.pages[path] = lambda _: of_json(200, {"Code": "Success", **bank.issue()})
    return f"{web.url}{path}"


def serve_metadata(web: WebServer, bank: Bank, role: str = "WorkerRole", *, hardened: bool = True) -> None:
    """Be the metadata service of an instance with a role, asked through this server as a proxy."""
    token = "metadata-token"

    def guarded(answer: Callable[[], Answer]) -> Callable[[WebRequest], Answer]:
        def answer_if_allowed(request: WebRequest) -> Answer:
            given = request.headers.get("X-aliyun-ecs-metadata-token")
            if given == token or (given is None and not hardened):
                return answer()
            return of_text(403, "forbidden")

        return answer_if_allowed

    def give_token(request: WebRequest) -> Answer:
        is_wanted = request.method == "PUT" and request.headers.get("X-aliyun-ecs-metadata-token-ttl-seconds")
        return of_text(200, token) if is_wanted else of_text(405, "")

    web.pages[METADATA_TOKEN] = give_token
    web.pages[METADATA] = guarded(lambda: of_text(200, role))
    web.pages[METADATA + role] = guarded(lambda: of_json(200, {"Code": "Success", **bank.issue()}))


@dataclass
class Sts:
    """STS with one role. It checks who asks, and the signature, as the real one does."""

    bank: Bank
    role_arn: str = "acs:ram::1234:role/exporter"
    keys: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    """AccessKey ID -> secret and token of those who may assume the role."""
    oidc_token: str = ""
    oidc_provider_arn: str = "acs:ram::1234:oidc-provider/ack-rrsa"
    queries: list[dict[str, str]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def serve(self, web: WebServer) -> str:
        """Answer at the root of the server; return the endpoint."""
        web.pages[""] = web.pages["/"] = self.answer
        return web.url.removeprefix("https://").replace("127.0.0.1", "localhost")

    def answer(self, request: WebRequest) -> Answer:
        """Answer AssumeRole and AssumeRoleWithOIDC."""
        query = {name: values[0] for name, values in parse_qs(request.query, keep_blank_values=True).items()}
        with self._lock:
            self.queries.append(query)
            refusal = self._with_oidc(query) if query["Action"] == "AssumeRoleWithOIDC" else self._with_key(query)
            if refusal is None and query["RoleArn"] != self.role_arn:
                refusal = (404, "EntityNotExist.Role", f"The role not exists: {query['RoleArn']}.")
            if refusal is not None:
                status, code, message = refusal
                return of_json(status, {"Code": code, "Message": message, "RequestId": "STS-REQUEST"})
            return of_json(200, {"RequestId": "STS-REQUEST", "Credentials": self.bank.issue()})

    def _with_key(self, query: dict[str, str]) -> tuple[int, str, str] | None:
        secret, token = self.keys.get(query["AccessKeyId"], (None, None))
        if secret is None:
            return 404, "InvalidAccessKeyId.NotFound", "Specified access key is not found."
        if query.get("SecurityToken") != token:
            return 400, "InvalidSecurityToken.Malformed", "The specified parameter SecurityToken is malformed."
        signed = "&".join(
            f"{quote_plus(name)}={quote_plus(query[name])}" for name in sorted(query) if name != "Signature"
        )
        text = f"GET&%2F&{quote_plus(signed)}"
        digest = hmac.digest(f"{secret}&".encode(), text.encode(), "sha1")
        if base64.b64encode(digest).decode() == query["Signature"]:
            return None
        told = "Specified signature is not matched with our calculation. server string to sign is:"
        return 400, "SignatureDoesNotMatch", f"{told}{text} {unquote(unquote(text))}"

    def _with_oidc(self, query: dict[str, str]) -> tuple[int, str, str] | None:
        if query["OIDCProviderArn"] != self.oidc_provider_arn:
            return 404, "EntityNotExist.OIDCProvider", "The OIDC provider does not exist."
        if query["OIDCToken"] != self.oidc_token:
            return 400, "AuthenticationFail.OIDCToken.Invalid", f"This JWT is invalid: {query['OIDCToken']}"
        return None
