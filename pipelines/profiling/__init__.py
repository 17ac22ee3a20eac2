"""A look at a model's data: its columns per batch and over time."""
