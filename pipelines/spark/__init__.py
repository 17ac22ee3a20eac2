"""Spark as an engine: where it is, a driver in an environment of its own, and what its errors mean.

PySpark is imported by the driver's files alone (`driver.py`), which a Python of its own runs; what
is asked of it is SQL and names of files. Why it is done so:
docs/decisions/0104-spark-is-asked-in-sql.md.
"""
