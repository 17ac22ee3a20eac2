"""Columns: their names, and the few types in which their values are kept."""
