"""What a client is told is safe to print."""

from __future__ import annotations

from airflow_provider_oss.clients.credentials.sources import Credentials
from airflow_provider_oss.clients.settings import ClientSettings


def test_secrets_are_not_shown() -> None:
    """The representations of settings and credentials hold neither secret nor token nor a proxy's password."""
    credentials = Credentials("LTAI-id", "hidden-secret", "hidden-token")
    settings = ClientSettings(
        "https://oss-cn-hangzhou.aliyuncs.com",
        credentials,
        "cn-hangzhou",
        proxies={"https": "http://user:hidden-password@proxy"},
    )

    for shown in (repr(credentials), str(credentials), repr(settings), f"{settings}"):
        assert "hidden" not in shown
    assert "LTAI-id" in repr(settings)
    assert "oss-cn-hangzhou" in repr(settings)
