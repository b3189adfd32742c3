"""
From a table to a worker and away: a day is exported in pieces, waited for, downloaded piece by piece, and deleted.

The key has the day, as partitions have it: a rerun for a day replaces that day. The manifest is stored when all pieces
are there, so whoever waits for it finds them all; the sensor may as well stand in a DAG of another team, with
``modified_after``. The database is the Airflow connection ``warehouse``. A table like this one will do:

    CREATE TABLE orders (id bigint PRIMARY KEY, day date, customer text, amount numeric(12, 2))
"""

from datetime import timedelta

from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_oss.operators.download import OSSDownloadObjectOperator
from airflow_provider_oss.operators.objects import OSSDeleteObjectsOperator, OSSListOperator
from airflow_provider_oss.sensors.oss import OSSKeySensor
from airflow_provider_oss.transfers.sql_to_oss import SQLToOSSOperator

DAY = "{{ params.day or ds_nodash }}"
FOLDER = f"handed_over/day={DAY}/"

with DAG(
    dag_id="oss_export_pipeline",
    schedule=None,  # or "@daily"
    default_args={"retries": 5, "retry_delay": timedelta(minutes=1)},
    params={
        "day": Param(None, type=["null", "string"], pattern="^[0-9]{8}$", description="None: the run's"),
        "rows": Param(1_000_000, type="integer", description="Rows of a piece"),
        "directory": Param("/data/handed_over", type="string", description="Directory on the worker"),
    },
    tags=["oss"],
) as dag:
    export = SQLToOSSOperator(
        task_id="export",
        conn_id="warehouse",
        sql="SELECT id, customer, amount FROM orders WHERE day = %(day)s ORDER BY id",
        parameters={"day": DAY},
        key=f"{FOLDER}part-{{index}}.csv",
        split_rows="{{ params.rows }}",
    )
    wait = OSSKeySensor(
        task_id="wait",
        key=f"{FOLDER}part-manifest.json",
        timeout=timedelta(hours=6),
        deferrable=True,
    )
    pieces = OSSListOperator(task_id="pieces", prefix=FOLDER, include="**/part-*.csv")
    download = OSSDownloadObjectOperator.partial(
        task_id="download",
        file_path=f"{{{{ params.directory }}}}/{DAY}/{{{{ task.key.split('/')[-1] }}}}",
        map_index_template="{{ task.key.split('/')[-1] }}",
    ).expand(key=pieces.output)
    delete = OSSDeleteObjectsOperator(task_id="delete", prefix=FOLDER)

    export >> wait >> pieces
    download >> delete
