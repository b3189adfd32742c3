"""
An Airflow connection to ClientSettings. Pure but for the environment, which it is given.

The forms that OSS's endpoints have, and the region that each names, are from the OSS pages "Regions and endpoints"
(public, finance and government cloud), "OSS accelerator", "OSS-HDFS", "Transfer acceleration" and "Compatibility with
Amazon S3"; ``vpc100-oss-`` is what VPCs had before ``-internal``.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final, Protocol

from airflow_provider_oss.clients.credentials.reading import check_sendable, credentials_from
from airflow_provider_oss.clients.credentials.sources import Credentials, CredentialSource
from airflow_provider_oss.clients.settings import ClientSettings, parse_proxy
from airflow_provider_oss.exceptions import OSSInvalidArgument, OSSInvalidConnection
from airflow_provider_oss.model import check_bucket_name
from airflow_provider_oss.shown import a_type

if TYPE_CHECKING:
    from jsonschema import ValidationError
    from jsonschema.protocols import Validator


_REGION_OF_A_HOST: Final = r"(?P<region>[a-z]{2,}-[a-z0-9-]+?)"
_ZONE: Final = r"(-[a-z])?"
_INTERNAL: Final = r"(-internal)?"

_FORMS: Final = tuple(
    re.compile(form.replace(".", r"\.") + r"\.aliyuncs\.com")
    for form in (
        "oss-accelerate(-overseas)?",
        f"oss-cache-{_REGION_OF_A_HOST}{_ZONE}",
        f"(s3.)?oss-{_REGION_OF_A_HOST}(-pub)?{_INTERNAL}",
        f"vpc100-oss-{_REGION_OF_A_HOST}",
        f"{_REGION_OF_A_HOST}{_INTERNAL}.oss",
        f"{_REGION_OF_A_HOST}{_ZONE}{_INTERNAL}.oss-data-acc",
        f"{_REGION_OF_A_HOST}{_INTERNAL}.oss-dls",
    )
)
_OF_OTHER_NAMES: Final = {
    "cn-hzfinance": "cn-hangzhou-finance",
    "cn-hzjbp-a": "cn-hangzhou-finance",
    "cn-hzjbp-b": "cn-hangzhou-finance",
    "cn-szfinance": "cn-shenzhen-finance-1",
    "cn-shanghai-finance": "cn-shanghai-finance-1",
    "cn-shenzhen-finance": "cn-shenzhen-finance-1",
}
"""What stands in the endpoints of finance clouds in place of the region's id."""


def region_of(host: str) -> str | None:
    """Return the region that an endpoint's host names; None for one that names none, or is none of Alibaba's."""
    match = _standard(host)
    region: str | None = None if match is None else match.groupdict().get("region")
    return None if region is None else _OF_OTHER_NAMES.get(region, region)


def without_bucket(host: str) -> tuple[str, str] | None:
    """Return bucket and endpoint of the domain that a bucket has at a standard endpoint; None for anything else."""
    bucket, _, endpoint = host.partition(".")
    return (bucket, endpoint) if _standard(endpoint) and not _standard(host) else None


def bracketed(host: str) -> str:
    """Return what may be a host, in brackets if it is an IPv6 address: out of a URI Airflow takes it without them."""
    with suppress(ValueError):
        ipaddress.IPv6Address(host)
        return f"[{host}]"
    return host


def is_address(host: str) -> bool:
    """Whether what is in brackets is an IPv6 address."""
    return bracketed(host[1:-1]).startswith("[")


def _standard(host: str) -> re.Match[str] | None:
    return next((match for form in _FORMS if (match := form.fullmatch(host)) is not None), None)


ALIBABA_PROVIDER_CONN_TYPE: Final = "oss"
"""The connection type that apache-airflow-providers-alibaba registers."""

_REGION: Final = re.compile(r"[a-z][a-z0-9-]*")
_ENDPOINT: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:(?P<port>[0-9]{1,5}))?"
)
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
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
            raise _invalid(connection, f"extra field {name} is {a_type(extra[name])}: it must be text")
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
    """Return the host with the connection's port, unless it has that itself, or it is the scheme's own."""
    if not connection.host:
        return None
    endpoint, port = _with_scheme(connection.host), connection.port
    match = _ENDPOINT.fullmatch(endpoint)
    # The form has a port, and 443 is what many fill in: https:// has it anyway
    if match is None or port in (None, 0, _DEFAULT_PORTS[match["scheme"]]):
        return endpoint
    if match["port"] is None:
        return f"{endpoint}:{port}"
    if int(match["port"]) != port:
        raise _invalid(
            connection, f"the port is given twice: host has {match['port']}, port is {port}; leave one of them out"
        )
    return endpoint


def _with_scheme(host: str) -> str:
    """Return an endpoint with its scheme, as a user may write it, without slashes at its end."""
    scheme, _, rest = host.rpartition("://")
    return f"{scheme or 'https'}://{bracketed(rest.rstrip('/'))}"


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
    endpoint = _with_scheme(endpoint)
    host = _host_of(connection, endpoint)
    if extra.get("addressing_style") != "cname" and (found := without_bucket(host)):
        raise _invalid(
            connection, f"host {endpoint!r} has the bucket before it: give {found[1]}, and {found[0]} as schema"
        )
    region = region or region_of(host)
    if region is None and extra.get("signature_version", "v4") == "v4":
        raise _invalid(
            connection,
            f"extra field region is missing: V4 signatures need it and it does not follow from {endpoint!r}; set it, "
            "such as cn-hangzhou, or set signature_version to v1",
        )
    return endpoint, region


def _host_of(connection: AirflowConnection, endpoint: str) -> str:
    """Return the endpoint's host. Raises OSSInvalidConnection for what is no endpoint."""
    match = _ENDPOINT.fullmatch(endpoint)
    host = "" if match is None else match["host"].lower()
    if match is None or (host.startswith("[") and not is_address(host)):
        raise _invalid(
            connection,
            f"host {endpoint.rpartition('@')[2]!r} is no endpoint: give a host name, with http:// or a port if need "
            "be, without a bucket or path: oss-cn-hangzhou.aliyuncs.com",
        )
    if not 0 < int(match["port"] or 1) <= _MAX_PORT:
        raise _invalid(connection, f"host {endpoint!r} has a port that is none: give one from 1 to {_MAX_PORT}")
    return host


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
