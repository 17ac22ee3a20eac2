"""The pages that Airflow's API server shows below /perennial.

What serves and why, and the pages of runs. Never loaded by a DAG.
"""
