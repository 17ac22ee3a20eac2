"""The inference log, as the server writes it."""
