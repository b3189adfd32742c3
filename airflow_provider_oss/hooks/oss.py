"""The hook: an Airflow connection to OSS calls."""

from __future__ import annotations

from typing import Any

from airflow_provider_oss.hooks import classic_form
from airflow_provider_oss.hooks.buckets import OSSBucketHook
from airflow_provider_oss.hooks.uploads import OSSUploadHook


class OSSHook(OSSUploadHook, OSSBucketHook):
    """
    Talks to Alibaba Cloud OSS with the credentials of an Airflow connection.

    Everywhere ``key`` may be a whole ``oss://bucket/key``; else the bucket is ``bucket_name`` of the call, of the hook,
    or the connection's schema. Calls are repeated after faults that may pass, five tries in all. All raise the classes
    of ``airflow_provider_oss.exceptions``, and none answers an error with None or False. For the constructor's
    arguments see OSSBaseHook; ``**options`` are those of ``airflow_provider_oss.options.parse_options``: mime, meta,
    headers, acl, storage_class, tags, forbid_overwrite, traffic_limit, callback.
    """

    # Airflow asks the class that the provider's information names for these, not its bases

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the connection form's own fields. Called by Airflow below 3.2 only."""
        return classic_form.widgets()

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return what the connection form calls Airflow's fields. Called by Airflow below 3.2 only."""
        return classic_form.field_behaviour()
