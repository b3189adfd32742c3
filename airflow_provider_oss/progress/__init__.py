"""How far a task's transfer is, for people: its record, where that is kept, and Airflow's metrics."""
