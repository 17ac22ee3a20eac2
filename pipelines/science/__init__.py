"""Pure functions: metrics, splits, comparisons, verdicts. No clock, no network, no files."""
