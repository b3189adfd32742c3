"""Plugins of Airflow, which finds them by the entry point ``airflow.plugins``."""
