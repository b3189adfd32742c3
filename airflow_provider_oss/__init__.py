"""Uploads from Apache Airflow to Alibaba Cloud OSS that a retried task instance continues and verifies."""

__version__ = "1.0.0rc1"
