"""What this package costs Airflow itself: parsing of DAG files, and writes to its database."""
