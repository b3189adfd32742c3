"""What the tests and the demonstration stand on: a real Airflow, and doubles that record or fail on purpose."""
