"""Airflow operators that bring what other systems hold to OSS."""
