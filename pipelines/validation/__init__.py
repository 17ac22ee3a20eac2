"""Validation: Great Expectations on one batch, judged by severity, with every bad row and the
expectations it broke.
"""
