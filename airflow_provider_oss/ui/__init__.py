"""
The app behind the page "OSS transfers": what tasks of this package transfer, read from Airflow's database.

For the api-server of Airflow 3.1 and later. Read in this order: app, permissions, transfers, attached, forgotten,
allowed. The page itself is in static/.
"""
