"""Great Expectations on one batch, judged by severity.

Every bad row is listed with the expectations that it broke.
"""
