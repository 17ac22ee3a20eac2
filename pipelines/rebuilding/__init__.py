"""A version built again in a clean folder, and compared with the one that was recorded."""
