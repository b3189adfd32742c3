"""
One query by several tasks at a time, on as many workers as there are: planned, exported in shards, finished.

It pays where one worker is the limit, and not the database, which is the Airflow connection ``warehouse``. A task that
fails is retried, or cleared, by itself. The ranges are closed and the rows older than the end of the run's interval: so
all tasks see one state of a table whose rows are added, such as this one, whenever they run:

    CREATE TABLE sales (id bigint PRIMARY KEY, day date, customer text, amount numeric(12, 2), created_at timestamptz)
"""

from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_oss.transfers.sql_to_oss import mapped_export

with DAG(
    dag_id="oss_mapped_export",
    schedule="@daily",
    start_date=datetime(2026, 1, 1),  # noqa: DTZ001 - Airflow's own time zone
    catchup=False,
    params={"until": Param(None, type=["null", "string"], description="None: the end of the run's interval")},
    tags=["oss"],
) as dag:
    mapped_export(
        "sales",
        conn_id="warehouse",
        bounds="SELECT min(id), max(id) FROM sales",
        sql="""
            SELECT id, day, customer, amount FROM sales
            WHERE id BETWEEN %(first)s AND %(last)s AND created_at < %(until)s
            ORDER BY day, id
        """,
        parameters={"until": "{{ params.until or data_interval_end }}"},
        shards=4,
        partition_by=["day"],
        file_format="parquet",
        key="sales/{{ run_id }}/part.parquet",
        retries=5,
        retry_delay=timedelta(seconds=1),  # for the tests, which wait for the retry; give it minutes
        max_active_tis_per_dagrun=4,
    )
