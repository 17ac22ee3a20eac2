"""The gate's verdict as people read it."""
