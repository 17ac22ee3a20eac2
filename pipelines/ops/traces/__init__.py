"""Where a value still is, in all that a state holds."""
