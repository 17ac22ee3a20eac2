"""Whether a window differs from what went before it, with a stated rate of false alarms."""
