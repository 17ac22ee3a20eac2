"""The door: a narrow way to the Docker engine for Airflow's workers and the steps that deploy.

It needs h11 and nothing else.
"""
