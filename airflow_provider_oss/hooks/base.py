"""What every use of the hook stands on: the connection, the clients made from it, and its test."""

from __future__ import annotations

import logging
import os
import threading
from contextlib import suppress
from dataclasses import fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

from airflow.providers.common.compat.sdk import BaseHook, mask_secret

from airflow_provider_oss.clients.credentials.sources import Credentials, CredentialSource, secrets_of
from airflow_provider_oss.clients.proxies import secrets_of_proxies
from airflow_provider_oss.exceptions import OSSInvalidArgument, OSSNoSuchKey, OSSProviderError
from airflow_provider_oss.hooks import DEFAULT_CONN_ID
from airflow_provider_oss.hooks.connection import to_client_settings
from airflow_provider_oss.hooks.verdict import verdict
from airflow_provider_oss.model import KeyPrefix, ObjectPrefix, ObjectRef, check_bucket_name
from airflow_provider_oss.transfer.retry import RetryingClient, RetryPolicy, make_retrying
from airflow_provider_oss.uri import resolve, resolve_key_prefix, resolve_prefix

if TYPE_CHECKING:
    import oss2
    from tenacity import Retrying

    from airflow_provider_oss.clients.object_client import OSSObjectClient
    from airflow_provider_oss.clients.settings import ClientSettings

log = logging.getLogger(__name__)

_PROBE_KEY: Final = "airflow-provider-oss-connection-test"


class OSSBaseHook(BaseHook):
    """
    An Airflow connection, and clients set up from it. The connection is read on first use.

    oss2 is imported on the first use of what needs it: get_conn, presigned URLs, listing, deleting.

    :param oss_conn_id: id of the Airflow connection, of type ``aliyun_oss`` or of the alibaba provider's type ``oss``.
    :param bucket_name: default bucket; None for the connection's schema.
    :param region: goes before the connection's region.

    ``retry`` says how often a failed call is tried, and may be set before the first call. Once ``stopping`` is set,
    from whatever thread, no failed call is repeated: a read that stalls ends with its time-out.
    """

    conn_name_attr = "oss_conn_id"
    default_conn_name = DEFAULT_CONN_ID
    conn_type = "aliyun_oss"
    hook_name = "Alibaba Cloud OSS (resumable)"

    def __init__(
        self, oss_conn_id: str = DEFAULT_CONN_ID, bucket_name: str | None = None, region: str | None = None
    ) -> None:
        super().__init__()
        self.oss_conn_id = oss_conn_id
        self.bucket_name = bucket_name
        self.region = region
        self.retry = RetryPolicy()
        self.stopping = threading.Event()

    @cached_property
    def _retrying(self) -> Retrying:
        return make_retrying(self.retry, self.stopping)

    @cached_property
    def settings(self) -> ClientSettings:
        """The connection, checked. Raises OSSInvalidConnection; registers the secrets with Airflow's log masker."""
        return self._read_connection()

    def _read_connection(self) -> ClientSettings:
        settings = to_client_settings(self.get_connection(self.oss_conn_id), self.region, os.environ)
        _mask(settings.credentials)
        for secret in secrets_of_proxies(settings.proxies.values()):
            mask_secret(secret)
        return settings

    def renew_credentials(self) -> bool:
        """
        Read the connection again; return whether it has other credentials now, which are used from now on.

        Where it still names the same source of credentials, that source is asked for others than those OSS refused.
        Nothing else of the connection is taken over: what an upload has begun at one endpoint cannot go on at another.
        The log says when something else changed. When it cannot be read the error is raised and nothing changes.
        """
        fresh = self._read_connection()
        changed = {
            item.name for item in fields(fresh) if getattr(fresh, item.name) != getattr(self.settings, item.name)
        }
        if others := sorted(changed - {"credentials"}):
            log.warning(
                "Connection %r has another %s now: that takes effect in the next attempt, this one takes over new "
                "credentials alone",
                *(self.oss_conn_id, ", ".join(others)),
            )
        if "credentials" in changed:
            self.settings = replace(self.settings, credentials=fresh.credentials)
            self._client.replace_credentials(fresh.credentials)
            return True
        return self._client.renew_credentials()

    @cached_property
    def _client(self) -> OSSObjectClient:
        from airflow_provider_oss.clients.object_client import OSSObjectClient

        return OSSObjectClient(self.settings, _mask)

    def connect(self) -> None:
        """
        Read the connection now, in this thread, unless that was done: nothing is sent.

        Call it before other threads use the hook: AccessKeys that are renewed later are told to Airflow's log masker by
        the thread that was first. Raises OSSInvalidConnection.
        """
        _ = self._client

    @cached_property
    def _calls(self) -> RetryingClient:
        return RetryingClient(self._client, self._retrying)

    def get_conn(self) -> oss2.Bucket:
        """Return the default bucket as oss2 knows it. Raises OSSInvalidArgument when there is no default bucket."""
        return self._client.buckets.get(self.resolve_bucket(None))

    def resolve(self, key: str, bucket_name: str | None = None) -> ObjectRef:
        """Return the object that ``key`` means. Raises OSSInvalidArgument when OSS would refuse it."""
        return resolve(key, bucket_name, self.bucket_name or self.settings.default_bucket)

    def resolve_prefix(self, prefix: str, bucket_name: str | None = None) -> ObjectPrefix:
        """Return the objects that ``prefix`` means. Raises OSSInvalidArgument when OSS would refuse it."""
        return resolve_prefix(prefix, bucket_name, self.bucket_name or self.settings.default_bucket)

    def resolve_key_prefix(self, prefix: str, bucket_name: str | None = None) -> KeyPrefix:
        """Return what ``prefix`` means, taken as it is. Raises OSSInvalidArgument when OSS would refuse every key."""
        return resolve_key_prefix(prefix, bucket_name, self.bucket_name or self.settings.default_bucket)

    def resolve_bucket(self, bucket_name: str | None) -> str:
        """Return ``bucket_name`` or the default bucket. Raises OSSInvalidArgument for none, or one that OSS refuses."""
        bucket = bucket_name or self.bucket_name or self.settings.default_bucket
        if not bucket:
            raise OSSInvalidArgument(f"no bucket: give bucket_name, or set schema in connection {self.oss_conn_id!r}")
        check_bucket_name(bucket)
        return bucket

    def test_connection(self) -> tuple[bool, str]:
        """Return whether OSS accepts the connection, and why (not). For the Test button of the Airflow UI."""
        key = None
        try:
            key = self._tested_key()
            return True, f"OSS accepts {key}{self._probe()}"
        except OSSProviderError as error:
            return verdict(error, self.oss_conn_id, key)

    def _tested_key(self) -> str:
        """Return, in words, whose identity is tested; a source is asked for it now."""
        if isinstance(self.settings.credentials, Credentials):
            return "the AccessKey"
        found = self._client.credentials
        return f"AccessKey {found.access_key_id} of {found.origin}"

    def _probe(self) -> str:
        bucket = self.bucket_name or self.settings.default_bucket
        if not bucket:
            return f"; the connection has no default bucket, the account has {len(self._client.list_buckets())}"
        with suppress(OSSNoSuchKey):
            self._client.head_object(ObjectRef(bucket, _PROBE_KEY))
        return f" for bucket {bucket}"


def _mask(credentials: Credentials | CredentialSource) -> None:
    """Register what is secret of them with Airflow's log masker."""
    for secret in secrets_of(credentials):
        mask_secret(secret)
