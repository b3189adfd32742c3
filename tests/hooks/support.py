"""What the tests of the hook share."""

from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import Connection

from airflow_provider_oss.hooks.oss import OSSHook

if not TYPE_CHECKING and not hasattr(Connection, "from_json"):  # that of Airflow 3.0 is made of single fields only
    from airflow.models.connection import Connection

__all__ = ["DATA", "Connection", "connection_of_uri", "read"]

DATA = bytes(range(256)) * 1024


def connection_of_uri(uri: str) -> Connection:
    """Return the connection that Airflow makes of a URI in the environment."""
    if hasattr(Connection, "from_uri"):  # the constructor of Airflow 3.2 makes an extra of it that cannot be read
        return Connection.from_uri(uri, conn_id="oss_default")
    return Connection(conn_id="oss_default", uri=uri)  # type: ignore[call-arg]  # that of older versions


def read(hook: OSSHook, key: str, bucket_name: str | None = None) -> bytes:
    """Return all bytes of an object."""
    with hook.get_object(key, bucket_name) as body:
        return body.read()
