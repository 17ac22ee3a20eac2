"""From a place where data lie to the folder of a model: what `perennial init` does."""
