"""A model's own pipeline: made, fitted, asked, compiled and stored in a process of its own."""
