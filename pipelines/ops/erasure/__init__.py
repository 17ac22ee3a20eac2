"""Take a person's rows out of all that a model has stored, and prove that they are gone."""
