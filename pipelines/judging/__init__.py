"""What the gate is told: the challenger and its opponent, measured on the same rows."""
