"""The inference log: every answered prediction and every label.

It consists of append-only segments that rotate to Parquet.
"""
