"""Does a change matter: to decisions, to the metric."""
