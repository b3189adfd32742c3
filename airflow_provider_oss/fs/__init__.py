"""``oss://`` as a filesystem: for Airflow's ObjectStoragePath and for all that uses fsspec."""
