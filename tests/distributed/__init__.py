"""Plays in an Airflow on more than one machine: what ends or hangs in the middle of an upload, and what comes of it.

``make distributed`` plays them: PostgreSQL, Redis, CeleryExecutor, all components, and two Celery workers as two nodes.
"""
