"""
Mirror files of a web server; a retried task continues by Range where the server can do that.

The connection ``http_default`` has the host and, if need be, login and password or headers. It needs the extra
``http`` of this package.
"""

from datetime import timedelta

from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_oss.transfers.http_to_oss import HttpToOSSOperator

with DAG(
    dag_id="oss_http_mirror",
    schedule=None,
    params={"endpoints": Param(["/data/a.csv", "/data/b.csv"], type="array", description="What follows the host")},
    tags=["oss"],
    default_args={"retries": 5, "retry_delay": timedelta(minutes=1)},
) as dag:
    for number in range(2):
        endpoint = f"params.endpoints[{number}]"
        HttpToOSSOperator(
            task_id=f"file_{number}",
            endpoint=f"{{{{ {endpoint} }}}}",
            key=f"mirror/{{{{ run_id }}}}{{{{ {endpoint} }}}}",
        )
