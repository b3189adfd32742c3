"""Airflow assets that are objects in OSS."""
