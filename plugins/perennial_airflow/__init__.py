"""Everything that knows Airflow.

The operator that runs a step, the places where it runs, and the DAGs of a model.
"""
