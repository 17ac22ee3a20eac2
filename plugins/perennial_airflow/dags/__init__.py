"""The DAGs of a model, and the tasks that they are made of."""
