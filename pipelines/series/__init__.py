"""Columns of a forecast that are made of the series itself: lags, means and the calendar.

Training, watching and serving make them by the same code. Nothing here loads more than NumPy, and
what a spec declares (`columns`) loads not even that.
"""
