"""A small state as the first version of the ledger's entries left it, one entry of every kind.

The program before the entries had a schema wrote it: a ledger (one entry a line) and the files of
its store that the releases need (compressed, in base64). Neither is ever written anew.
"""

from __future__ import annotations

import base64
import json
import sqlite3
import zlib
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.ledger import Entry
from pipelines.ledger.sql import SqlLedger
from pipelines.refs import canonical
from pipelines.settings import local_path

if TYPE_CHECKING:
    from pipelines.settings import Settings

_HERE = Path(__file__).parent / "unit" / "ledger"

MODEL = "sales"
ENTRIES = [
    Entry.model_validate_json(line)
    for line in (_HERE / "entries_of_version_0.jsonl").read_text().splitlines()
]


def fields(kind: str) -> list[set[str]]:
    """Return the fields that the entries of a kind have, for each entry."""
    return [set(entry.body) for entry in ENTRIES if entry.kind == kind]


def write_ledger(file: Path) -> SqlLedger:
    """Write the entries as they stand in that version's database, and open them."""
    url = f"sqlite:///{file}"
    SqlLedger(url)
    with closing(sqlite3.connect(file)) as connection:
        for entry in ENTRIES:
            row = entry.model_dump(mode="json") | {"body": canonical(entry.body).decode()}
            connection.execute(
                "INSERT INTO entries VALUES (:seq, :at, :model, :kind, :key, :body, :previous,"
                " :hash)",
                row,
            )
            connection.execute("UPDATE head SET seq = :seq, hash = :hash", row)
        connection.commit()
    return SqlLedger(url)


def write_store(settings: Settings) -> None:
    """Write the files of the store to their places."""
    stored = json.loads((_HERE / "store_of_version_0.json").read_text())
    for name, text in stored.items():
        path = local_path(settings.store) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(zlib.decompress(base64.b64decode(text)))
