"""
The provider as Airflow discovers it (entry point ``apache_airflow_provider``), and the form of its connection type.

The fields of the form are one table. Airflow 3.2 and later find it in the provider's information; older versions ask
the hook, which calls ``widgets``: wtforms and Flask-AppBuilder come with Airflow 2.11, and in 3.0 and 3.1 the
api-server puts doubles of the few names below in their place. What may be in a field is in
hooks/connection.schema.json.

Facts of the form of Airflow 3.3: a section is a fold of its own; a choice can be cleared again and a switch cannot; the
editor for an object alone formats what is half typed and moves the cursor away, the text area for a text or an object
does not.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from airflow_provider_oss import __version__


def _field(label: str, description: str, *kinds: str, **schema: Any) -> dict[str, Any]:
    return {"label": label, "description": description, "schema": {"type": [*(kinds or ("string",)), "null"], **schema}}


_credential = partial(_field, section="Credentials")
_role = partial(_field, section="Role to assume")

STANDARD_FIELDS: Final[dict[str, Any]] = {
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
"""What Airflow's own fields are called here, and what they show while they are empty."""

EXTRA_FIELDS: Final[dict[str, dict[str, Any]]] = {
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
    "connect_timeout": _field("Connect timeout (seconds)", "Empty: 10.", "number"),
    "read_timeout": _field("Read timeout (seconds)", "The longest time in which nothing moves. Empty: 60.", "number"),
    "verify": _field(
        "TLS verification",
        "Empty or true: certificates are verified. Else false, or the path of a file of certificate authorities.",
    ),
    "proxies": _field(
        "Proxies",
        'JSON, such as {"https": "http://proxy.example:3128"}; the keys are http and https.',
        *("string", "object"),
    ),
    "credential_source": _credential(
        "Credential source",
        "Empty or static: the AccessKey of the standard fields. environment: the worker's ALIBABA_CLOUD_ACCESS_KEY_ID, "
        "_SECRET and _SECURITY_TOKEN. The others give temporary AccessKeys and renew them; they need "
        "the extra credentials of airflow-provider-oss.",
        enum=["static", "environment", "ecs_ram_role", "oidc_role", "assume_role", "credentials_uri", "default"],
    ),
    "security_token": _credential("Security token", "static: only of a temporary (STS) AccessKey.", format="password"),
    "role_name": _credential("ECS role name", "ecs_ram_role: empty for the instance's own role."),
    "disable_imds_v1": _credential(
        "Metadata token required", "ecs_ram_role: true never asks without a token.", enum=["true", "false"]
    ),
    "credentials_uri": _credential(
        "Credentials URI", "credentials_uri: empty for ALIBABA_CLOUD_CREDENTIALS_URI.", format="password"
    ),
    "role_arn": _role(
        "Role ARN",
        "assume_role, oidc_role: such as acs:ram::123456789012:role/uploads. Empty: ALIBABA_CLOUD_ROLE_ARN.",
    ),
    "role_session_name": _role("Role session name", "For the audit log. Empty: airflow-provider-oss."),
    "role_session_duration": _role("Role session duration (seconds)", "900 to 43200. Empty: 3600.", "integer"),
    "role_policy": _role("Role session policy", "JSON that narrows what the session may do.", *("string", "object")),
    "external_id": _role("External ID", "assume_role: if the role's trust policy asks for one.", format="password"),
    "assume_role_source": _role(
        "Source of assume_role",
        "Whose credentials the role is assumed with. Empty: static.",
        enum=["static", "environment", "ecs_ram_role", "oidc_role", "credentials_uri", "default"],
    ),
    "oidc_provider_arn": _role("OIDC provider ARN", "oidc_role: empty for ALIBABA_CLOUD_OIDC_PROVIDER_ARN."),
    "oidc_token_file": _role("OIDC token file", "oidc_role: empty for ALIBABA_CLOUD_OIDC_TOKEN_FILE."),
    "sts_endpoint": _role("STS endpoint", "Such as sts-vpc.cn-hangzhou.aliyuncs.com. Empty: sts.aliyuncs.com."),
}
"""The fields that are kept in the connection's extra, by their names there, in the order in which they are shown."""


def widgets() -> dict[str, Any]:
    """
    Return a wtforms field for each extra field that is no object: those are written into the extra's JSON.

    Numbers are text fields: there is no decimal field among those that Airflow allows, and a whole-number one would
    make 0 of a timeout of 0.5. The hook reads numbers in texts.
    """
    return {name: _widget(field) for name, field in EXTRA_FIELDS.items() if not _is_object(field)}


def field_behaviour() -> dict[str, Any]:
    """Return what is hidden, renamed and shown as placeholder, with the names that hooks use."""
    return {name.replace("-", "_"): value for name, value in STANDARD_FIELDS.items()}


def _is_object(field: dict[str, Any]) -> bool:
    return "object" in field["schema"]["type"]


def _widget(field: dict[str, Any]) -> Any:
    from flask_appbuilder.fieldwidgets import BS3PasswordFieldWidget, BS3TextFieldWidget
    from flask_babel import lazy_gettext
    from wtforms import PasswordField, StringField
    from wtforms.validators import Optional, any_of

    is_secret = field["schema"].get("format") == "password"
    allowed = field["schema"].get("enum")
    description = f"{field['description']} One of: {', '.join(allowed)}." if allowed else field["description"]
    kind, shape = (PasswordField, BS3PasswordFieldWidget) if is_secret else (StringField, BS3TextFieldWidget)
    return kind(
        lazy_gettext(field["label"]),
        widget=shape(),
        validators=[Optional(), any_of(allowed)] if allowed else [Optional()],
        description=description,
    )


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
                    "airflow_provider_oss.operators.files",
                    "airflow_provider_oss.operators.shards",
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
            {
                "integration-name": "Alibaba Cloud OSS",
                "python-modules": ["airflow_provider_oss.triggers.oss", "airflow_provider_oss.triggers.assets"],
            }
        ],
        "transfers": [
            {
                "source-integration-name": "Object Storage",
                "target-integration-name": "Alibaba Cloud OSS",
                "python-module": "airflow_provider_oss.transfers.object_storage_to_oss",
            },
            {
                "source-integration-name": "Object Storage",
                "target-integration-name": "Alibaba Cloud OSS",
                "python-module": "airflow_provider_oss.transfers.ranges",
            },
            {
                "source-integration-name": "Hypertext Transfer Protocol (HTTP)",
                "target-integration-name": "Alibaba Cloud OSS",
                "python-module": "airflow_provider_oss.transfers.http_to_oss",
            },
            {
                "source-integration-name": "SQL",
                "target-integration-name": "Alibaba Cloud OSS",
                "python-module": "airflow_provider_oss.transfers.sql_shards",
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
        "extra-links": [
            "airflow_provider_oss.links.oss.OSSObjectLink",
            "airflow_provider_oss.links.oss.OSSTransferLink",
        ],
        "config": {"aliyun_oss": {"description": "Transfers to and from Alibaba Cloud OSS.", "options": _OPTIONS}},
        "connection-types": [
            {
                "connection-type": "aliyun_oss",
                "hook-class-name": "airflow_provider_oss.hooks.oss.OSSHook",
                "hook-name": "Alibaba Cloud OSS (resumable)",
                "ui-field-behaviour": STANDARD_FIELDS,
                "conn-fields": EXTRA_FIELDS,
            }
        ],
    }


_OPTIONS = {
    "log_interval_seconds": {
        "description": "Seconds between the first two lines of a transfer's progress in the task log. Each later "
        "interval is twice as long as the one before.",
        "version_added": None,
        "type": "float",
        "example": None,
        "default": "5",
    },
    "log_longest_interval_seconds": {
        "description": "Seconds between two lines of a transfer's progress in the task log, at most.",
        "version_added": None,
        "type": "float",
        "example": None,
        "default": "60",
    },
    "transfers_page": {
        "description": "Whether Airflow's UI has the page OSS transfers, from 3.1 on. Read by the api-server.",
        "version_added": "1.0.0",
        "type": "boolean",
        "example": None,
        "default": "True",
    },
}
_ASSET_URIS = {
    "schemes": ["oss"],
    "handler": "airflow_provider_oss.assets.oss.sanitize_uri",
    "factory": "airflow_provider_oss.assets.oss.create_asset",
    "to_openlineage_converter": "airflow_provider_oss.assets.oss.convert_asset_to_openlineage",
}
