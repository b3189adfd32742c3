"""What the Test button says of errors that the local OSS server does not answer by itself."""

from __future__ import annotations

import pytest

from airflow_provider_oss.exceptions import (
    ErrorDetails,
    OSSAccessDenied,
    OSSConnectionError,
    OSSCredentialsExpired,
    OSSInvalidConnection,
    OSSProviderError,
)
from airflow_provider_oss.hooks.base import verdict

KEY = "AccessKey LTAI of a role"
IN_BUCKET = ErrorDetails(bucket="exports", key="airflow-provider-oss-connection-test")


def denied(ec: str | None, bucket: str | None = "exports") -> OSSAccessDenied:
    return OSSAccessDenied("No right; check the policy", ErrorDetails(bucket=bucket, key="probe", ec=ec))


@pytest.mark.parametrize(
    ("error", "works"),
    [
        (denied("0003-00000001"), True),
        (denied("0003-00000201"), True),
        (denied("0003-00001403"), False),
        (OSSCredentialsExpired("token expired", IN_BUCKET), False),
        (denied("0002-00000201"), False),
        (denied(None), False),
        (OSSConnectionError("no connection to OSS", IN_BUCKET), False),
        (OSSProviderError("anything else", IN_BUCKET), False),
    ],
)
def test_only_a_missing_permission_is_no_failure(error: OSSProviderError, *, works: bool) -> None:
    """A policy's refusal proves the AccessKey right; a bucket in another region and all else is a failure."""
    assert verdict(error, "oss_default", KEY)[0] is works


@pytest.mark.parametrize(("bucket", "action"), [("exports", "oss:GetObject"), (None, "oss:ListBuckets")])
def test_missing_permission_is_named(bucket: str | None, action: str) -> None:
    """The user learns which RAM action the test would have needed."""
    assert action in verdict(denied("0003-00000001", bucket), "oss_default", KEY)[1]


def test_text_holds_what_the_user_knows() -> None:
    """The random id of the connection that Airflow tests and the test's own key are left out, the bucket is not."""
    error = OSSInvalidConnection("connection 'RaNdOm': login (AccessKey ID) is missing")
    assert verdict(error, "RaNdOm", None) == (False, "login (AccessKey ID) is missing")
    text = verdict(denied("0002-00000201"), "RaNdOm", KEY)[1]
    assert (
        text
        == "OSS does not accept AccessKey LTAI of a role: No right; check the policy [bucket=exports, ec=0002-00000201]"
    )


def test_what_cannot_be_reached_from_here_may_be_from_a_worker() -> None:
    """Where the test ran is said when the network is the reason."""
    text = verdict(OSSConnectionError("no connection to OSS", IN_BUCKET), "oss_default", KEY)[1]
    assert "Airflow's server" in text
