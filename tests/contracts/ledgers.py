"""Ledgers as earlier programs left them, and an earlier program that meets a newer one."""

from __future__ import annotations

import shutil
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, make_url, text

from pipelines.intervals import iso
from pipelines.ledger import Head
from pipelines.ledger.chain import chain_entry
from pipelines.refs import canonical
from tests.contracts.processes import HOME
from tests.decisions import raw

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.ledger import Entry

_INSERT = "INSERT INTO entries VALUES (:seq, :at, :model, :kind, :key, :body, :previous, :hash)"


def an_older_ledger(url: str, revision: str, entries: int) -> list[Entry]:
    """Make a ledger of an earlier schema with entries inside, as its program wrote them.

    Return those.
    """
    config = Config()
    config.set_main_option("script_location", str(HOME / "pipelines" / "ledger" / "alembic"))
    made, head = [], Head()
    with create_engine(make_url(url)).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        for n in range(entries):
            at = datetime(2026, 1, 1, 0, n, tzinfo=UTC)
            decision = raw("verdict", {"n": n, "text": "grün"})
            entry = chain_entry(head, at=at, model="m", key=f"k{n}", decision=decision)
            row = entry.model_dump(include={"seq", "model", "kind", "key", "previous", "hash"})
            connection.execute(
                text(_INSERT), {**row, "at": iso(entry.at), "body": canonical(entry.body).decode()}
            )
            connection.execute(
                text("UPDATE head SET seq = :seq, hash = :hash"),
                {"seq": entry.seq, "hash": entry.hash},
            )
            made.append(entry)
            head = Head(seq=entry.seq, hash=entry.hash)
    return made


def older_program(folder: Path, revision: str, url: str) -> str:
    """Let the program as it was at an earlier schema open the ledger.

    Return the error that it raised, by name and in words.
    """
    shutil.copytree(
        HOME / "pipelines", folder / "pipelines", ignore=shutil.ignore_patterns("__pycache__")
    )
    for migration in (folder / "pipelines/ledger/alembic/versions").glob("*.py"):
        if migration.name[:4] > revision:
            migration.unlink()
    program = folder / "pipelines" / "ledger" / "database.py"
    source = program.read_text()
    newest = max((HOME / "pipelines/ledger/alembic/versions").glob("*.py")).name[:4]
    assert f'REVISION = "{newest}"' in source
    program.write_text(source.replace(f'REVISION = "{newest}"', f'REVISION = "{revision}"'))
    code = (
        "import sys; from pipelines.ledger.sql import SqlLedger; from pipelines.errors import"
        " PerennialError\ntry: SqlLedger(sys.argv[1]); print('opened')\nexcept PerennialError as"
        " error: print(f'{type(error).__name__}: {error}')"
    )
    environment = {"PYTHONPATH": str(folder)}
    return subprocess.run(
        [sys.executable, "-c", code, url],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
