"""
Every night, export a day of a PostgreSQL table, partitioned by date: as CSV for people, as Parquet for machines.

The database is the Airflow connection ``warehouse``. A retried task sends only what OSS does not hold yet; ORDER BY
makes the query give the same order again. A table like this one will do:

    CREATE TABLE orders (id bigint PRIMARY KEY, day date, customer text, card_number text, amount numeric(12, 2))
"""

from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_oss.transfers.sql_to_oss import SQLToOSSOperator

with DAG(
    dag_id="oss_postgres_export",
    schedule="@daily",
    start_date=datetime(2026, 1, 1),  # noqa: DTZ001 - Airflow's own time zone
    catchup=False,
    default_args={"conn_id": "warehouse", "retries": 5, "retry_delay": timedelta(minutes=1)},
    params={"day": Param(None, type=["null", "string"], format="date", description="None: the day of the run")},
    tags=["oss"],
) as dag:
    SQLToOSSOperator(
        task_id="csv",
        sql="SELECT * FROM orders WHERE day = %(day)s ORDER BY id",
        parameters={"day": "{{ params.day or ds }}"},
        exclude=["card_number"],
        key="orders/day={{ params.day or ds }}/orders.csv.gz",
        compression="gzip",
    )
    SQLToOSSOperator(
        task_id="parquet",
        sql="SELECT id, customer, amount FROM orders WHERE day = %(day)s ORDER BY id",
        parameters={"day": "{{ params.day or ds }}"},
        file_format="parquet",
        key="orders_parquet/day={{ params.day or ds }}/part-{index}.parquet",
        split_rows=1_000_000,
    )
