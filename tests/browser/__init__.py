"""What a user sees in Airflow's UI, looked at through a real browser."""
