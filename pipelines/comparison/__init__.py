"""Candidates of a retraining side by side, and two versions of a model."""
