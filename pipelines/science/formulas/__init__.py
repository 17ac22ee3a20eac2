"""What each metric computes, by kinds of formulas."""
