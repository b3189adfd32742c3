"""What the tests of the hook share."""

from airflow_provider_oss.hooks.oss import OSSHook

DATA = bytes(range(256)) * 1024


def read(hook: OSSHook, key: str, bucket_name: str | None = None) -> bytes:
    """Return all bytes of an object."""
    with hook.get_object(key, bucket_name) as body:
        return body.read()
