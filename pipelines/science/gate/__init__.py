"""The gate: from facts to a verdict, a file for each thing that it looks at."""
