"""From a task to the place in the OSS console where the object is. Provider key ``extra-links``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

from airflow.providers.common.compat.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_oss.model import ObjectPrefix

_CONSOLE: Final = "https://oss.console.aliyun.com"
_PUBLIC_CLOUD: Final = ".aliyuncs.com"


class OSSObjectLink(BaseOperatorLink):
    """
    Shows the folder of what the task stores, in the OSS console.

    Airflow 3 asks ``get_link`` in the task's process, at its end, and keeps the answer in XCom; Airflow 2 asks in the
    webserver, for what ``publish`` has put there.
    """

    name = "OSS object"
    xcom_key = "oss_object_link"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return the address; empty when there is none."""
        if hasattr(operator, "console_url"):
            return str(operator.console_url())
        from airflow.providers.common.compat.sdk import XCom

        return XCom.get_value(key=self.xcom_key, ti_key=ti_key) or ""

    def publish(self, url: str, context: Context) -> None:
        """Put the address where Airflow 2 looks for it. Airflow 3 does that itself."""
        if url and not hasattr(BaseOperatorLink, "xcom_key"):
            context["ti"].xcom_push(key=self.xcom_key, value=url)


def console_url(endpoint: str, region: str | None, folder: ObjectPrefix) -> str:
    """
    Return the address of a folder in the console; empty for an endpoint that is not one of Alibaba's public cloud.

    Those are known by their name. A domain of the bucket's own (CNAME) does not tell.
    """
    host = urlsplit(endpoint).hostname or ""
    if region is None or not host.endswith(_PUBLIC_CLOUD):
        return ""
    objects = f"{_CONSOLE}/bucket/oss-{region}/{folder.bucket}/object"
    return f"{objects}?path={quote(folder.prefix, safe='')}" if folder.prefix else objects
