"""Model cards: what is known of a version, on one page that a person who decides can read."""
