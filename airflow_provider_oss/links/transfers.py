"""From a task to the page that shows its transfer. Provider key ``extra-links``."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlencode

from airflow.providers.common.compat.sdk import BaseOperatorLink
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_1_PLUS

from airflow_provider_oss.shown import Log

log = Log(__name__)

_PAGE: Final = "plugin/oss-transfers"


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


def publish_links(ti: Any) -> None:
    """Put the address where the pages look for it, if there is such a page; a failure is logged."""
    for link in TRANSFER_LINKS:
        try:
            ti.xcom_push(key=link.xcom_key, value=transfer_url(ti))
        except Exception as error:  # noqa: BLE001 - whatever Airflow raises, the transfer can be made
            log.warning("The page of the transfer cannot be linked to: %s", error)


def transfer_url(ti: Any) -> str:
    """Return the address of the page for a task instance, relative to that of Airflow's pages."""
    map_index = -1 if ti.map_index is None else ti.map_index
    instance = {"dag_id": ti.dag_id, "run_id": ti.run_id, "task_id": ti.task_id, "map_index": map_index}
    return f"{_PAGE}?{urlencode(instance)}"
