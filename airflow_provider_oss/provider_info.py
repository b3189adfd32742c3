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
                "python-modules": [
                    "airflow_provider_oss.operators.oss",
                    "airflow_provider_oss.operators.directory",
                    "airflow_provider_oss.operators.copy",
                    "airflow_provider_oss.operators.download",
                    "airflow_provider_oss.operators.objects",
                    "airflow_provider_oss.operators.buckets",
                    "airflow_provider_oss.operators.tags",
                    "airflow_provider_oss.operators.presign",
                    "airflow_provider_oss.operators.maintenance",
                ],
            }
        ],
        "sensors": [{"integration-name": "Alibaba Cloud OSS", "python-modules": ["airflow_provider_oss.sensors.oss"]}],
        "triggers": [
            {"integration-name": "Alibaba Cloud OSS", "python-modules": ["airflow_provider_oss.triggers.oss"]}
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
        "filesystems": ["airflow_provider_oss.fs.oss"],
        "task-decorators": [
            {"name": "oss_upload", "class-name": "airflow_provider_oss.decorators.oss_upload.oss_upload_task"}
        ],
        "asset-uris": [_ASSET_URIS],
        "dataset-uris": [_ASSET_URIS],  # what Airflow 2 reads
        "extra-links": ["airflow_provider_oss.links.oss.OSSObjectLink"],
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


_ASSET_URIS = {
    "schemes": ["oss"],
    "handler": "airflow_provider_oss.assets.oss.sanitize_uri",
    "factory": "airflow_provider_oss.assets.oss.create_asset",
    "to_openlineage_converter": "airflow_provider_oss.assets.oss.convert_asset_to_openlineage",
}

_FIELD_BEHAVIOUR = {
    "hidden-fields": ["port"],
    "relabeling": {
        "host": "Endpoint",
        "schema": "Default bucket",
        "login": "AccessKey ID",
        "password": "AccessKey secret",
    },
    "placeholders": {
        "host": "oss-cn-hangzhou.aliyuncs.com",
        "schema": "exports",
        "login": "LTAI...",
    },
}


def _field(label: str, description: str, kind: str = "string", **schema: Any) -> dict[str, Any]:
    return {"label": label, "description": description, "schema": {"type": [kind, "null"], **schema}}


_FIELDS = {
    "region": _field("Region", "Such as cn-hangzhou. Follows from a standard endpoint; V4 signatures need it."),
    "credential_source": _field(
        "Credential source",
        "static: the AccessKey above. environment: ALIBABA_CLOUD_ACCESS_KEY_ID, _SECRET and _SECURITY_TOKEN. The "
        "others give temporary AccessKeys and renew them; they need airflow-provider-oss[credentials].",
        enum=["static", "environment", "ecs_ram_role", "oidc_role", "assume_role", "credentials_uri", "default"],
    ),
    "security_token": _field("Security token", "Of a temporary (STS) AccessKey.", format="password"),
    "role_name": _field("ECS role name", "ecs_ram_role: the instance's own role when empty."),
    "disable_imds_v1": _field("Metadata token required", "ecs_ram_role: never ask without a token.", "boolean"),
    "role_arn": _field("Role ARN", "assume_role, oidc_role: acs:ram::<account id>:role/<name>."),
    "role_session_name": _field("Role session name", "For the audit log. airflow-provider-oss when empty."),
    "role_session_duration": _field("Role session duration (s)", "900 to 43200, 3600 when empty.", "integer"),
    "role_policy": _field("Role session policy", "JSON that narrows what the session may do."),
    "external_id": _field("External ID", "assume_role: if the role's trust policy asks for one.", format="password"),
    "assume_role_source": _field(
        "Source of assume_role",
        "Whose credentials the role is assumed with; static when empty.",
        enum=["static", "environment", "ecs_ram_role", "oidc_role", "credentials_uri", "default"],
    ),
    "oidc_provider_arn": _field("OIDC provider ARN", "oidc_role: ALIBABA_CLOUD_OIDC_PROVIDER_ARN when empty."),
    "oidc_token_file": _field("OIDC token file", "oidc_role: ALIBABA_CLOUD_OIDC_TOKEN_FILE when empty."),
    "sts_endpoint": _field("STS endpoint", "Such as sts-vpc.cn-hangzhou.aliyuncs.com. sts.aliyuncs.com when empty."),
    "credentials_uri": _field(
        "Credentials URI", "credentials_uri: ALIBABA_CLOUD_CREDENTIALS_URI when empty.", format="password"
    ),
    "signature_version": _field("Signature version", "v4 unless an old proxy needs v1.", enum=["v4", "v1"]),
    "addressing_style": _field(
        "Addressing style",
        "auto: bucket in the host name, in the path for an IP address. cname: the endpoint is the bucket's own domain.",
        enum=["auto", "path", "virtual", "cname"],
    ),
    "connect_timeout": _field("Connect time-out (s)", "10 when empty.", "number"),
    "read_timeout": _field("Read time-out (s)", "Longest time in which nothing moves. 60 when empty.", "number"),
    "verify": _field("TLS verification", "true, false, or the path of a certificate authority file."),
}
