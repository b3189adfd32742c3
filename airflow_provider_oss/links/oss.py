"""From a task to the object in the OSS console, and to the page of its transfer. Provider key ``extra-links``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode, urlsplit

from airflow.providers.common.compat.sdk import BaseOperatorLink
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_1_PLUS

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_oss.model import ObjectPrefix

_CONSOLE: Final = "https://oss.console.aliyun.com"
_PUBLIC_CLOUD: Final = ".aliyuncs.com"
_PAGE: Final = "plugin/oss-transfers"


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


class OSSTransferLink(BaseOperatorLink):
    """
    Shows the task's transfer, while it runs too: a transfer publishes its address at the beginning.

    Airflow asks ``get_link`` in the task's process, at its end, and keeps the answer where it was published.
    """

    name = "OSS transfer"
    xcom_key = "oss_transfer_link"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return the address, relative to that of Airflow's pages; empty when the task has transferred nothing."""
        return transfer_url(ti_key) if getattr(operator, "has_transferred", False) else ""


TRANSFER_LINKS: Final = (OSSTransferLink(),) if AIRFLOW_V_3_1_PLUS else ()
"""Before Airflow 3.1 there is no such page."""


def has_page() -> bool:
    """Whether Airflow's UI has the page that shows transfers: from Airflow 3.1 on, unless it is switched off."""
    from airflow.configuration import conf

    return AIRFLOW_V_3_1_PLUS and bool(conf.getboolean("aliyun_oss", "transfers_page", fallback=True))


def publish_transfer(ti: Any) -> None:
    """Put the address of the transfer's page where Airflow's pages look for it; a failure is logged."""
    try:
        ti.xcom_push(key=OSSTransferLink.xcom_key, value=transfer_url(ti))
    except Exception as error:  # noqa: BLE001 - whatever Airflow raises, the transfer can be made
        from airflow_provider_oss.shown import Log

        Log(__name__).warning("The page of the transfer cannot be linked to: %s", error)


def transfer_url(ti: Any) -> str:
    """Return the address of the page for a task instance, relative to that of Airflow's pages."""
    map_index = -1 if ti.map_index is None else ti.map_index
    instance = {"dag_id": ti.dag_id, "run_id": ti.run_id, "task_id": ti.task_id, "map_index": map_index}
    return f"{_PAGE}?{urlencode(instance)}"
