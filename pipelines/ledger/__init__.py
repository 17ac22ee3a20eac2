"""The Ledger port: the append-only, hash-chained record of every decision, and who is champion."""

from pipelines.ledger.memory import MemoryLedger
from pipelines.ledger.port import (
    GENESIS,
    Champion,
    Entry,
    Head,
    Ledger,
    champion_of,
    entry_hash,
    first_break,
)

__all__ = [
    "GENESIS",
    "Champion",
    "Entry",
    "Head",
    "Ledger",
    "MemoryLedger",
    "champion_of",
    "entry_hash",
    "first_break",
]
