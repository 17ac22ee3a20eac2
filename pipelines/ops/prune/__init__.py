"""Take away what nobody needs."""
