"""The hook: an Airflow connection to OSS calls."""

from __future__ import annotations

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
