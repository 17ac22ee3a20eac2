"""A model's `build`, run by DuckDB: on tables in memory, or from files to a file."""
