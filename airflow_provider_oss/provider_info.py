"""What Airflow's provider discovery reads: entry point ``apache_airflow_provider``."""

from __future__ import annotations

from typing import Any

from airflow_provider_oss import __version__
from airflow_provider_oss.connection_form import EXTRA_FIELDS, STANDARD_FIELDS


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
                "ui-field-behaviour": STANDARD_FIELDS,
                "conn-fields": EXTRA_FIELDS,
            }
        ],
    }


_ASSET_URIS = {
    "schemes": ["oss"],
    "handler": "airflow_provider_oss.assets.oss.sanitize_uri",
    "factory": "airflow_provider_oss.assets.oss.create_asset",
    "to_openlineage_converter": "airflow_provider_oss.assets.oss.convert_asset_to_openlineage",
}
