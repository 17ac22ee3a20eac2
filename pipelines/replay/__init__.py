"""A policy lived through: what a model's past would have been like under it."""
