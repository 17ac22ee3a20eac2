"""What the ledger answers: who served, why, and what rests on what."""
