"""The file of a ledger in SQL, and what changes it behind the ledger's back."""

import sqlite3
from contextlib import closing


def url(folder):
    return f"sqlite:///{folder}/ledger/ledger.db"


def sql(folder, *statements, free=True):
    """Run statements on the ledger's file behind its back, with its triggers dropped."""
    with closing(sqlite3.connect(folder / "ledger" / "ledger.db")) as connection:
        if free:
            for (name,) in connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'trigger'"
            ).fetchall():
                connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement)
        connection.commit()
