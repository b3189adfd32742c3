"""What Airflow's provider discovery reads: entry point ``apache_airflow_provider``."""

from __future__ import annotations

from typing import Any

from airflow_provider_oss import __version__


def get_provider_info() -> dict[str, Any]:
    """Return the provider's name, its connection type with the form's fields, and where its parts are."""
    return {
        "package-name": "airflow-provider-oss",
        "name": "Alibaba Cloud OSS (resumable uploads)",
        "description": "Uploads to Alibaba Cloud OSS that a retried task instance continues and verifies.",
        "versions": [__version__],
        "integrations": [
            {
                "integration-name": "Alibaba Cloud OSS",
                "external-doc-url": "https://www.alibabacloud.com/help/en/oss/",
                "tags": ["service"],
            }
        ],
        "hooks": [{"integration-name": "Alibaba Cloud OSS", "python-modules": ["airflow_provider_oss.hooks.oss"]}],
        "operators": [
            {
                "integration-name": "Alibaba Cloud OSS",
                "python-modules": ["airflow_provider_oss.operators.oss", "airflow_provider_oss.operators.directory"],
            }
        ],
        "transfers": [
            {
                "source-integration-name": "Object Storage",
                "target-integration-name": "Alibaba Cloud OSS",
                "python-module": "airflow_provider_oss.transfers.object_storage_to_oss",
            },
            {
                "source-integration-name": "Hypertext Transfer Protocol (HTTP)",
                "target-integration-name": "Alibaba Cloud OSS",
                "python-module": "airflow_provider_oss.transfers.http_to_oss",
            },
            {
                "source-integration-name": "SQL",
                "target-integration-name": "Alibaba Cloud OSS",
                "python-module": "airflow_provider_oss.transfers.sql_to_oss",
            },
        ],
        "task-decorators": [
            {"name": "oss_upload", "class-name": "airflow_provider_oss.decorators.oss_upload.oss_upload_task"}
        ],
        "connection-types": [
            {
                "connection-type": "aliyun_oss",
                "hook-class-name": "airflow_provider_oss.hooks.oss.OSSHook",
                "hook-name": "Alibaba Cloud OSS (resumable)",
                "ui-field-behaviour": _FIELD_BEHAVIOUR,
                "conn-fields": _FIELDS,
            }
        ],
    }


_FIELD_BEHAVIOUR = {
    # Port is shown: without one, the Test button of Airflow 3.3.1 and 3.3.2 answers "Bad Request"
    "hidden-fields": [],
    "relabeling": {
        "host": "Endpoint",
        "schema": "Default bucket",
        "login": "AccessKey ID",
        "password": "AccessKey secret",
    },
    "placeholders": {
        "host": "oss-cn-hangzhou.aliyuncs.com",
        "port": "443",
        "schema": "exports",
        "login": "LTAI...",
    },
}


# A section is a fold of its own in the form
_CREDENTIALS = {"section": "Credentials"}


def _field(label: str, description: str, *kinds: str, **schema: Any) -> dict[str, Any]:
    return {"label": label, "description": description, "schema": {"type": [*(kinds or ("string",)), "null"], **schema}}


_FIELDS = {
    "region": _field(
        "Region",
        "Empty: it follows from an endpoint such as oss-cn-hangzhou.aliyuncs.com. Any other endpoint needs it.",
        examples=["cn-hangzhou", "cn-shanghai", "cn-beijing", "cn-shenzhen", "cn-hongkong", "ap-southeast-1"],
    ),
    "signature_version": _field(
        "Signature version", "Empty: v4. Set v1 for an old proxy or a store that lacks v4.", enum=["v4", "v1"]
    ),
    "addressing_style": _field(
        "Addressing style",
        "Empty or auto: the bucket is in the host name, or in the path when the endpoint is an IP address. "
        "cname: the endpoint is the bucket's own domain.",
        enum=["auto", "path", "virtual", "cname"],
    ),
    "connect_timeout": _field("Connect time-out (seconds)", "Empty: 10.", "number"),
    "read_timeout": _field("Read time-out (seconds)", "The longest time in which nothing moves. Empty: 60.", "number"),
    "verify": _field(
        "TLS verification",
        "Empty or true: certificates are verified. Else false, or the path of a file of certificate authorities.",
    ),
    "proxies": _field(
        "Proxies",
        'JSON, such as {"https": "http://proxy.example:3128"}; the keys are http and https.',
        # The form's editor for an object alone formats what is half typed and moves the cursor away
        *("string", "object"),
    ),
    "credential_source": _field(
        "Credential source",
        "Empty or static: the AccessKey above. environment: the worker's ALIBABA_CLOUD_ACCESS_KEY_ID, _SECRET and "
        "_SECURITY_TOKEN.",
        enum=["static", "environment"],
        **_CREDENTIALS,
    ),
    "security_token": _field(
        "Security token", "Only of a temporary (STS) AccessKey.", format="password", **_CREDENTIALS
    ),
}
