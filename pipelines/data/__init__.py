"""From raw batches to rows of features with their labels."""
