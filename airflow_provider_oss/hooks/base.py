"""The base of the hook: the connection, its test, the client made from it, and what transfers are given."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields, replace
from functools import cached_property
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from airflow.providers.common.compat.sdk import BaseHook, conf, mask_secret

from airflow_provider_oss import limits
from airflow_provider_oss.cancellation import Cancellation
from airflow_provider_oss.clients.credentials.sources import Credentials, CredentialSource, secrets_of
from airflow_provider_oss.clients.settings import secrets_of_proxies
from airflow_provider_oss.declared import arguments_of, checking
from airflow_provider_oss.engine.progress import UNWATCHED, LogIntervals
from airflow_provider_oss.engine.retry import Means, RetryingClient, RetryPolicy
from airflow_provider_oss.engine.upload import UploadSettings
from airflow_provider_oss.exceptions import (
    OSSAccessDenied,
    OSSClockCorrected,
    OSSConnectionError,
    OSSCredentialsExpired,
    OSSInvalidArgument,
    OSSNoSuchKey,
    OSSProviderError,
)
from airflow_provider_oss.hooks import DEFAULT_CONN_ID
from airflow_provider_oss.hooks.connection import to_client_settings
from airflow_provider_oss.model import KeyPrefix, ObjectPrefix, ObjectRef, check_bucket_name
from airflow_provider_oss.ports import TransferWatcher
from airflow_provider_oss.quantities import size_in_bytes, whole_number
from airflow_provider_oss.shown import Log, printable
from airflow_provider_oss.uri import resolve, resolve_key_prefix, resolve_prefix

if TYPE_CHECKING:
    import oss2
    from tenacity import Retrying

    from airflow_provider_oss.clients.object_client import OSSObjectClient
    from airflow_provider_oss.clients.settings import ClientSettings

log = Log(__name__)

Answer = TypeVar("Answer")

_AFTER_THE_SIGNATURE: Final = "0003-"
"""How the EC of a refusal begins that comes after the signature was found right: mostly a policy's."""
_WRONG_ENDPOINT: Final = "0003-00001403"
"""The bucket is in another region: nothing works with this connection."""


def verdict(error: OSSProviderError, conn_id: str, key: str | None) -> tuple[bool, str]:
    """
    Return whether the connection works in spite of the error, and what to say to the user, with the remedy.

    A RAM policy that forbids what the test asks for is no failure: the AccessKey is right, and may well upload. ``key``
    says in words which AccessKey was tried; None when it did not come to that. The id of the connection is left out,
    because Airflow tests a copy that has a random one.
    """
    # The key of the object is the test's own and says nothing to the user
    where = str(replace(error.details, key=None))
    text = printable(error.message.removeprefix(f"connection {conn_id!r}: ")) + (f" [{where}]" if where else "")
    ec = error.details.ec or ""
    if key and isinstance(error, OSSAccessDenied) and ec.startswith(_AFTER_THE_SIGNATURE):
        if ec == _WRONG_ENDPOINT:
            return False, text
        asked = "oss:GetObject" if error.details.bucket else "oss:ListBuckets"
        return True, f"OSS accepts {key}; that it may upload is not proven, for it has no {asked}: {text}"
    if key and isinstance(error, (OSSAccessDenied, OSSCredentialsExpired)):
        return False, f"OSS does not accept {key}: {text}"
    if isinstance(error, OSSConnectionError):
        return False, f"{text}. The test ran on the machine of Airflow's server; a worker may be in another network"
    return False, text


_OF_THIS_PROCESS: Final = frozenset({"cancellation", "watcher", "_making", "_log"})
"""What a hook has that is neither given to it nor a cached property."""
_PACKAGE: Final = "airflow_provider_oss."
_SECTION: Final = "aliyun_oss"
"""Of Airflow's configuration: see ``provider_info``."""
_PROBE_KEY: Final = "airflow-provider-oss-connection-test"


class OSSBaseHook(BaseHook):
    """
    An Airflow connection, and clients set up from it. The connection is read on first use.

    oss2 is imported on the first use of what needs it: get_conn and presigned URLs.

    :param oss_conn_id: id of the Airflow connection, of type ``aliyun_oss`` or of the alibaba provider's type ``oss``.
    :param bucket_name: default bucket; None for the connection's schema.
    :param region: goes before the connection's region.

    ``retry`` says how often a failed call is tried, and may be set before the first call. ``cancel`` ends all that the
    hook does. A hook may be used by many threads at once. A copy, by pickle or ``copy``, has the same arguments and
    nothing else of it: it connects anew.
    """

    conn_name_attr = "oss_conn_id"
    default_conn_name = DEFAULT_CONN_ID
    conn_type = "aliyun_oss"
    hook_name = "Alibaba Cloud OSS (resumable)"

    @checking
    def __init__(
        self, oss_conn_id: str = DEFAULT_CONN_ID, bucket_name: str | None = None, region: str | None = None
    ) -> None:
        super().__init__()
        self.oss_conn_id = oss_conn_id
        self.bucket_name = bucket_name
        self.region = region
        self.retry = RetryPolicy()
        self.cancellation = Cancellation()
        self.watcher: TransferWatcher = UNWATCHED
        self._making = threading.Lock()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Let each public method check the types of its arguments by what it declares, before it does anything."""
        super().__init_subclass__(**kwargs)
        if not cls.__module__.startswith(_PACKAGE):  # a user's own says itself what it takes
            return
        for name, method in vars(cls).copy().items():
            if isinstance(method, FunctionType) and not name.startswith("_") and arguments_of(method):
                setattr(cls, name, checking(method))

    def cancel(self) -> None:
        """
        Let all that this hook does, in whatever thread, end soon with OSSUploadCancelled, and all that it is asked for.

        Waits for OSS end within half a second, pauses between two tries too. Nothing is done but to set a flag, so that
        a signal handler may call it; see ``Cancellation.request`` for the one exception.
        """
        self.cancellation.request()

    def __getstate__(self) -> dict[str, Any]:
        """Return what was given to the hook, and to its subclass: no connection, no secret."""
        made = {name for name in vars(self) if isinstance(getattr(type(self), name, None), cached_property)}
        return {name: value for name, value in vars(self).items() if name not in made | _OF_THIS_PROCESS}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Become a hook that was not used yet."""
        vars(self).update(state)
        self.cancellation = Cancellation()
        self.watcher = UNWATCHED
        self._making = threading.Lock()

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

        settings = self.settings
        with self._making:  # from Python 3.12 on cached_property lets several threads make one each
            made: OSSObjectClient | None = vars(self).get("_client")
            if made is None:
                made = vars(self)["_client"] = OSSObjectClient(settings, _mask, self.cancellation)
        return made

    def _means(self, cancellation: Cancellation | None = None) -> Means[OSSObjectClient]:
        """
        Return what every transfer is given; ``cancellation`` can stop that one alone.

        Made for each: kept here, it and the hook would hold one another, and the connections of one that nobody holds
        would stay open until the garbage is collected.
        """
        return Means(
            self._client,
            self.retry,
            self.renew_credentials,
            cancellation or self.cancellation,
            watcher=self.watcher,
            log_intervals=self._log_intervals,
        )

    @cached_property
    def _log_intervals(self) -> LogIntervals:
        """What Airflow's configuration says. Raises OSSInvalidArgument for what cannot be."""
        usual = LogIntervals()
        return LogIntervals(
            conf.getfloat(_SECTION, "log_interval_seconds", fallback=usual.first_seconds),
            conf.getfloat(_SECTION, "log_longest_interval_seconds", fallback=usual.longest_seconds),
        )

    @cached_property
    def _retrying(self) -> Retrying:
        return self._means().retrying()

    @cached_property
    def _calls(self) -> RetryingClient:
        return RetryingClient(self._client, self._retrying)

    @checking
    def with_new_credentials(self, work: Callable[[], Answer]) -> Answer:
        """
        Return what ``work`` returns; do it once more when OSS refuses the AccessKey and the connection has another now.

        For what lives long, a wait or a filesystem, and may outlive the AccessKey that it began with.
        """
        return self._means().outliving(work)

    def _settings(self, part_size: int | str | None, parallel: int | str) -> UploadSettings:
        """Return how something is cut and sent. Raises OSSInvalidArgument for what is no size or number."""
        return UploadSettings(
            part_size_bytes=size_in_bytes("part_size", part_size),
            parallel=whole_number("parallel", parallel, limits.DEFAULT_PARALLEL),
        )

    def connect(self) -> None:
        """
        Read the connection now, in this thread, unless that was done: nothing is sent.

        Call it before other threads use the hook: AccessKeys that are renewed later are registered with Airflow's log
        masker by the thread that was first. Raises OSSInvalidConnection.
        """
        _ = self._client

    def get_conn(self) -> oss2.Bucket:
        """Return the default bucket as oss2 knows it. Raises OSSInvalidArgument when there is no default bucket."""
        return self._client.buckets.get(self.resolve_bucket(None))

    def resolve(self, key: str, bucket_name: str | None = None, *, storing: bool = False) -> ObjectRef:
        """
        Return the object that ``key`` means. Raises OSSInvalidArgument when OSS would refuse it.

        :param storing: refuse as ``key`` also what is the address of something else, such as ``s3://exports/a``.
        """
        return resolve(key, bucket_name, self.bucket_name or self.settings.default_bucket, storing=storing)

    def resolve_prefix(self, prefix: str, bucket_name: str | None = None, *, storing: bool = False) -> ObjectPrefix:
        """Return the objects that ``prefix`` means. Raises OSSInvalidArgument as ``resolve`` does."""
        return resolve_prefix(prefix, bucket_name, self.bucket_name or self.settings.default_bucket, storing=storing)

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
        try:
            return self._ask_once()
        except OSSClockCorrected:  # as uploads do: OSS has returned its time, which the client has now
            return self._ask_once()

    def _ask_once(self) -> str:
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
