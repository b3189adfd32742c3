"""The upload engine: plans, verifies, sends and resumes. It knows neither Airflow nor an SDK."""
