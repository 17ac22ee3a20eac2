"""The inference log: every answered prediction and every label, in append-only segments that rotate
to Parquet.
"""
