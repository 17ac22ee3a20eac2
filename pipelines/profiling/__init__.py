"""A look at a model's data: its columns per batch and over time."""

BATCHES = 6
"""Batches that a profile looks at, where nobody says how many."""

MOST_BATCHES = 60
