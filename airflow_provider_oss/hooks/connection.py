"""An Airflow connection to ClientSettings. Pure but for the environment, which it is given."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import urlsplit

from airflow_provider_oss.clients.credentials.checking import check_sendable
from airflow_provider_oss.clients.credentials.reading import credentials_from
from airflow_provider_oss.clients.credentials.sources import Credentials, CredentialSource
from airflow_provider_oss.clients.proxies import parse_proxy
from airflow_provider_oss.clients.settings import ClientSettings
from airflow_provider_oss.exceptions import OSSInvalidArgument, OSSInvalidConnection
from airflow_provider_oss.model import check_bucket_name

if TYPE_CHECKING:
    from jsonschema import ValidationError
    from jsonschema.protocols import Validator

ALIBABA_PROVIDER_CONN_TYPE: Final = "oss"
"""The connection type that apache-airflow-providers-alibaba registers."""

_STANDARD_ENDPOINTS: Final = (
    re.compile(r"oss-(?P<region>[a-z]{2,}-[a-z0-9-]+?)(-internal)?\.aliyuncs\.com"),
    re.compile(r"(?P<region>[a-z]{2,}-[a-z0-9-]+?)(-internal)?\.oss\.aliyuncs\.com"),
)
_BUCKET_DOMAIN: Final = re.compile(
    r"(?P<bucket>[^.]+)\.(?P<endpoint>oss-[a-z0-9-]+\.aliyuncs\.com|[a-z]{2,}-[a-z0-9-]+\.oss\.aliyuncs\.com)"
)
_REGION: Final = re.compile(r"[a-z][a-z0-9-]*")
_ENDPOINT: Final = re.compile(r"https?://[A-Za-z0-9._-]+(:[0-9]{1,5})?")
_MAX_PORT: Final = 65535
_FORM_PREFIX: Final = "extra__aliyun_oss__"
"""Airflow 2.11 puts this before a field's name when its Test button is pressed in the form."""
_BOOLEANS: Final = ("verify", "disable_imds_v1")
_NOT_TEXT: Final = (*_BOOLEANS, "connect_timeout", "read_timeout", "proxies", "role_session_duration")
_SECRET_FIELDS: Final = ("security_token", "proxies", "credentials_uri", "external_id")


class AirflowConnection(Protocol):
    """What of Airflow's Connection is used."""

    conn_id: str
    conn_type: str | None
    host: str | None
    port: int | None
    login: str | None
    password: str | None
    schema: str | None

    @property
    def extra_dejson(self) -> dict[str, Any]:
        """The extra, parsed."""


def to_client_settings(
    connection: AirflowConnection, region: str | None, environment: Mapping[str, str]
) -> ClientSettings:
    """
    Return what a client needs. ``region``, if given, goes before the connection's.

    Reads connections of our own type and, as they are, those of the alibaba provider's type ``oss``. Raises
    OSSInvalidConnection that names the field, what is wrong with it and the remedy, and never shows a secret.
    """
    extra: Any = connection.extra_dejson
    if not isinstance(extra, dict):
        raise _invalid(connection, 'extra is no JSON object: it must look like {"region": "cn-hangzhou"}')
    if connection.conn_type == ALIBABA_PROVIDER_CONN_TYPE and "auth_type" in extra:
        return _from_alibaba_provider(connection, extra, region)
    extra = _checked_extra(connection, extra)
    endpoint, region = _endpoint_and_region(connection, _endpoint_of(connection), region or extra.get("region"), extra)
    return ClientSettings(
        endpoint=endpoint,
        credentials=_credentials(connection, extra, environment),
        region=region,
        signature_version=extra.get("signature_version", "v4"),
        addressing_style=extra.get("addressing_style", "auto"),
        connect_timeout_seconds=extra.get("connect_timeout", 10.0),
        read_timeout_seconds=extra.get("read_timeout", 60.0),
        verify=extra.get("verify", True),
        proxies=_proxies(connection, extra),
        default_bucket=_default_bucket(connection),
    )


def _from_alibaba_provider(
    connection: AirflowConnection, extra: Mapping[str, Any], region: str | None
) -> ClientSettings:
    if extra["auth_type"] != "AK":
        raise _invalid(connection, f"extra field auth_type={extra['auth_type']!r} is not known: it must be 'AK'")
    for name in ("access_key_id", "access_key_secret"):
        if not extra.get(name):
            raise _invalid(connection, f"extra field {name} is missing: auth_type 'AK' needs it")
    for name in ("access_key_id", "access_key_secret", "region", "endpoint"):
        if not isinstance(extra.get(name) or "", str):
            raise _invalid(connection, f"extra field {name} is a {type(extra[name]).__name__}: it must be text")
    endpoint, region = _endpoint_and_region(
        connection, extra.get("endpoint") or None, region or extra.get("region") or None, {}
    )
    return ClientSettings(
        endpoint=endpoint,
        credentials=_given_credentials(connection, extra),
        region=region,
        default_bucket=_default_bucket(connection),
    )


def _given_credentials(connection: AirflowConnection, extra: Mapping[str, Any]) -> Credentials:
    found = Credentials(extra["access_key_id"], extra["access_key_secret"])
    try:
        check_sendable(found, "extra field access_key_id", "extra field access_key_secret", "")
    except OSSInvalidConnection as error:
        raise _invalid(connection, error.message) from None
    return found


def _checked_extra(connection: AirflowConnection, extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return the extra with texts made numbers and booleans (a URI holds only texts) and empty form fields left out."""
    named = {name.removeprefix(_FORM_PREFIX): value for name, value in extra.items() if value not in (None, "", {})}
    present = {name: _typed(name, value) for name, value in named.items()}
    for error in _validator().iter_errors(present):
        raise _invalid(connection, _explained(error))
    return present


def _typed(name: str, value: Any) -> Any:
    """Return what a text stands for in this field, or the text itself for the schema to refuse."""
    if name not in _NOT_TEXT or not isinstance(value, str):
        return value
    try:
        return json.loads(value.lower() if name in _BOOLEANS else value)
    except ValueError:
        return value


@cache
def _validator() -> Validator:
    from jsonschema import Draft202012Validator

    text = resources.files(__package__).joinpath("connection.schema.json").read_text("utf-8")
    return Draft202012Validator(json.loads(text))


def _explained(error: ValidationError) -> str:
    """Return what is wrong, in words that hold no value of a field that may be secret."""
    schema: Any = _validator().schema
    if not error.absolute_path:
        instance: Any = error.instance
        unknown = ", ".join(sorted(set(instance) - set(schema["properties"])))
        return f"extra has unknown fields: {unknown}; known are {', '.join(schema['properties'])}"
    name = str(error.absolute_path[0])
    rule = {key: value for key, value in schema["properties"][name].items() if key != "title"}
    shown = "" if name in _SECRET_FIELDS else f"={error.instance!r}"
    return f"extra field {name}{shown} is not allowed: it must follow {json.dumps(rule)}"


def _endpoint_of(connection: AirflowConnection) -> str | None:
    if not connection.host:
        return None
    # The form has a port, and 443 is what many fill in: https:// has it anyway
    standard = 80 if connection.host.startswith("http://") else 443
    return f"{connection.host}:{connection.port}" if connection.port not in (None, 0, standard) else connection.host


def _endpoint_and_region(
    connection: AirflowConnection, endpoint: str | None, region: str | None, extra: Mapping[str, Any]
) -> tuple[str, str | None]:
    """Return both; either may follow from the other."""
    region = region.removeprefix("oss-") if region else None
    if region and not _REGION.fullmatch(region):
        raise _invalid(connection, f"region={region!r} is no region: give one such as cn-hangzhou")
    if not endpoint:
        if not region:
            raise _invalid(connection, "host (endpoint) and region are missing: give one, oss-cn-hangzhou.aliyuncs.com")
        return f"https://oss-{region}.aliyuncs.com", region
    if "://" not in endpoint:
        endpoint = f"https://{endpoint}"
    endpoint = endpoint.rstrip("/")
    if not _ENDPOINT.fullmatch(endpoint):
        raise _invalid(
            connection,
            f"host {endpoint.rpartition('@')[2]!r} is no endpoint: give a host name, with http:// or a port if need "
            "be, without a bucket or path: oss-cn-hangzhou.aliyuncs.com",
        )
    _check_host(connection, endpoint, is_cname=extra.get("addressing_style") == "cname")
    region = region or _region_of(endpoint)
    if region is None and extra.get("signature_version", "v4") == "v4":
        raise _invalid(
            connection,
            f"extra field region is missing: V4 signatures need it and it does not follow from {endpoint!r}; set it, "
            "such as cn-hangzhou, or set signature_version to v1",
        )
    return endpoint, region


def _check_host(connection: AirflowConnection, endpoint: str, *, is_cname: bool) -> None:
    parts = urlsplit(endpoint)
    if not 0 < int(parts.netloc.partition(":")[2] or 1) <= _MAX_PORT:
        raise _invalid(connection, f"host {endpoint!r} has a port that is none: give one from 1 to {_MAX_PORT}")
    if not is_cname and (found := _BUCKET_DOMAIN.fullmatch(parts.hostname or "")):
        raise _invalid(
            connection,
            f"host {endpoint!r} has the bucket before it: give {found['endpoint']}, and {found['bucket']} as schema",
        )


def _region_of(endpoint: str) -> str | None:
    host = urlsplit(endpoint).hostname or ""
    for pattern in _STANDARD_ENDPOINTS:
        if (match := pattern.fullmatch(host)) and not match["region"].startswith("accelerate"):
            return match["region"]
    return None


def _default_bucket(connection: AirflowConnection) -> str | None:
    if not connection.schema:
        return None
    try:
        check_bucket_name(connection.schema)
    except OSSInvalidArgument as error:
        raise _invalid(connection, f"schema (default bucket): {error.message}") from None
    return connection.schema


def _proxies(connection: AirflowConnection, extra: Mapping[str, Any]) -> dict[str, str]:
    proxies: dict[str, str] = extra.get("proxies", {})
    for scheme, url in proxies.items():
        try:
            parse_proxy(url)
        except ValueError as error:
            raise _invalid(connection, f"extra field proxies: the URL for {scheme!r} is {error}") from None
    return proxies


def _credentials(
    connection: AirflowConnection, extra: Mapping[str, Any], environment: Mapping[str, str]
) -> Credentials | CredentialSource:
    try:
        return credentials_from(connection.login, connection.password, extra, environment)
    except OSSInvalidConnection as error:
        raise _invalid(connection, error.message) from None


def _invalid(connection: AirflowConnection, problem: str) -> OSSInvalidConnection:
    return OSSInvalidConnection(f"connection {connection.conn_id!r}: {problem}")
