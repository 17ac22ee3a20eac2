"""Look at everything that a system needs; nothing is changed."""
