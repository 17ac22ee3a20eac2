"""The ledger in SQL: SQLite by default, PostgreSQL in production."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    insert,
    select,
    update,
)

from pipelines.errors import Corrupted
from pipelines.intervals import iso
from pipelines.ledger.database import LedgerDatabase
from pipelines.ledger.database_errors import RESTORE
from pipelines.ledger.memory import utc_now
from pipelines.ledger.port import (
    Champion,
    Entry,
    Head,
    chain_entry,
    champion_of,
    expect_champion,
    first_break,
)
from pipelines.refs import canonical

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy import Connection, Row

    from pipelines.ledger.entries import Crown, Decision, Kind

_tables = MetaData()
_ENTRIES = Table(
    "entries",
    _tables,
    Column(
        "seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False
    ),
    Column("at", String(40)),
    Column("model", String(48)),
    Column("kind", String(32)),
    Column("key", String(512)),
    Column("body", Text),
    Column("previous", String(64)),
    Column("hash", String(64)),
)
_HEAD = Table(
    "head",
    _tables,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger),
    Column("hash", String(64)),
)


class SqlLedger:
    """Entries in one table that only grows, and beside it the head.

    Its lock makes writers queue, its hash guards the end.

    Each call opens and closes its own connection, so an instance may be shared among threads and
    survives a fork.
    """

    def __init__(
        self, url: str, now: Callable[[], datetime] = utc_now, *, migrate: bool = True
    ) -> None:
        """Open the ledger at an SQLAlchemy URL and bring it to the newest revision.

        `now` is the clock (aware datetimes).

        Without `migrate` nothing is opened or changed: ask for `revision` first. Raises
        RequestError for an impossible URL, Unreachable or Busy where the database is away,
        Corrupted where the file is none of SQLite's, GiveUp where a newer Perennial wrote it.
        """
        self._database = LedgerDatabase(url)
        self._now = now
        if migrate:
            with self._database.border():
                self._database.open()

    def revision(self) -> str | None:
        """Return the revision of the tables that are there (`database.REVISION` is the newest).

        None where there are none yet.

        Raises Corrupted where there is a file that holds no ledger.
        """
        with self._database.border():
            return self._database.revision()

    def append(self, model: str, key: str, decision: Decision) -> Entry:
        """Add a decision once: with a key that is there already, return that entry and change
        nothing.
        """
        return self._write_once(model, key, decision, lambda _: None)

    def crown(self, model: str, *, expected: str | None, champion: Crown, key: str) -> Entry:
        """Make a version the champion if `expected` still is, in one transaction with the look at
        who is.
        """

        def compare(connection: Connection) -> None:
            expect_champion(model, self._champion(connection, model), expected)

        return self._write_once(model, key, champion, compare)

    def find(self, model: str, kind: Kind, key: str) -> Entry | None:
        """Return the decision with this key, or None."""
        with self._database.border(), self._database.reader.connect() as connection:
            return self._find(connection, model, kind, key)

    def at(self, seq: int) -> Entry | None:
        """Return the entry with this number, or None."""
        with self._database.border(), self._database.reader.connect() as connection:
            row = connection.execute(select(_ENTRIES).where(_ENTRIES.c.seq == seq)).one_or_none()
            return self._entry(row) if row else None

    def entries(
        self, model: str | None = None, kind: Kind | None = None, limit: int | None = None
    ) -> list[Entry]:
        """Return entries oldest first; with `limit`, the newest of them."""
        query = select(_ENTRIES).order_by(_ENTRIES.c.seq.desc())
        if model is not None:
            query = query.where(_ENTRIES.c.model == model)
        if kind is not None:
            query = query.where(_ENTRIES.c.kind == kind)
        if limit is not None:
            query = query.limit(max(limit, 0))
        with self._database.border(), self._database.reader.connect() as connection:
            return [self._entry(row) for row in connection.execute(query)][::-1]

    def champion(self, model: str) -> Champion | None:
        """Return who serves now, or None before the first deployment."""
        with self._database.border(), self._database.reader.connect() as connection:
            return self._champion(connection, model)

    def verify(self) -> int:
        """Check the whole chain and return its length.

        Raises Corrupted naming the first entry that was touched or is missing.
        """
        with self._database.border(), self._database.reader.connect() as connection:
            head = self._head(connection)
            rows = connection.execution_options(yield_per=1_000).execute(
                select(_ENTRIES).order_by(_ENTRIES.c.seq)
            )
            place = first_break((self._verify_row(row) for row in rows), head)
        if place is not None:
            raise self._make_corrupted(place)
        return head.seq

    def _write_once(
        self, model: str, key: str, decision: Decision, check: Callable[[Connection], None]
    ) -> Entry:
        """Append the decision unless its key is there; `check` may refuse it in the transaction."""
        with self._database.border(), self._database.writer.begin() as connection:
            head = self._head(connection)  # first: from here on this is the only writer
            entry_before = self._find(connection, model, decision.kind, key)
            if entry_before is not None:
                return entry_before
            check(connection)
            entry = chain_entry(head, at=self._now(), model=model, key=key, decision=decision)
            row = entry.model_dump(include={"seq", "model", "kind", "key", "previous", "hash"})
            connection.execute(
                insert(_ENTRIES).values(
                    **row, at=iso(entry.at), body=canonical(entry.body).decode()
                )
            )
            connection.execute(update(_HEAD).values(seq=entry.seq, hash=entry.hash))
            return entry

    def _head(self, connection: Connection) -> Head:
        """Return the head, locked until the transaction ends (PostgreSQL; a SQLite writer holds the
        whole database).
        """
        row = connection.execute(select(_HEAD.c.seq, _HEAD.c.hash).with_for_update()).one_or_none()
        name = self._database.name
        if row is None:
            raise Corrupted(f"The head of {name} is missing.", remedy=RESTORE)
        try:
            return Head(seq=row.seq, hash=row.hash)
        except ValidationError as error:
            raise Corrupted(f"The head of {name} was touched.", remedy=RESTORE) from error

    def _find(self, connection: Connection, model: str, kind: str, key: str) -> Entry | None:
        if "\x00" in f"{model}{kind}{key}":
            return None  # no entry can be called so, and PostgreSQL's driver will not even ask
        same = (_ENTRIES.c.model == model, _ENTRIES.c.kind == kind, _ENTRIES.c.key == key)
        row = connection.execute(select(_ENTRIES).where(*same)).one_or_none()
        return self._entry(row) if row else None

    def _champion(self, connection: Connection, model: str) -> Champion | None:
        crowns = select(_ENTRIES).where(_ENTRIES.c.model == model, _ENTRIES.c.kind == "champion")
        row = connection.execute(crowns.order_by(_ENTRIES.c.seq.desc()).limit(1)).one_or_none()
        return champion_of(self._entry(row) if row else None)

    def _entry(self, row: Row[Any]) -> Entry:
        try:
            return Entry.model_validate({**row._asdict(), "body": json.loads(row.body)})
        except (ValidationError, ValueError, TypeError, RecursionError) as error:
            raise self._make_corrupted(row.seq) from error

    def _verify_row(self, row: Row[Any]) -> Entry:
        """Return the entry if its texts are the very ones that were written.

        Its hash speaks of their meaning only.
        """
        entry = self._entry(row)
        if (row.body, row.at) != (canonical(entry.body).decode(), iso(entry.at)):
            raise self._make_corrupted(row.seq)
        return entry

    def _make_corrupted(self, seq: int) -> Corrupted:
        return Corrupted(
            f"Entry {seq} of {self._database.name} was touched or is missing.", remedy=RESTORE
        )
