"""The embedded stack: Airflow, MLflow and the server on one machine, under supervisord, on
127.0.0.1 only.
"""
