"""The ledger in SQL: SQLite by default, PostgreSQL in production."""

from __future__ import annotations

import json
from datetime import timedelta
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
    bindparam,
    func,
    insert,
    select,
    update,
)

from pipelines.errors import Corrupted
from pipelines.intervals import iso
from pipelines.ledger.chain import StoredEntry, chain_stored, first_stored_break
from pipelines.ledger.database import LedgerDatabase
from pipelines.ledger.database_errors import RESTORE
from pipelines.ledger.memory import utc_now
from pipelines.ledger.port import Champion, Entry, Head, champion_of, expect_champion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from sqlalchemy import Connection, Row

    from pipelines.ledger.decision import Decision
    from pipelines.ledger.entries import Crown, Kind
    from pipelines.ledger.port import Note

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


_ADD = insert(_ENTRIES)
_SOME = select(_ENTRIES).where(
    _ENTRIES.c.model == bindparam("model"),
    _ENTRIES.c.kind == bindparam("kind"),
    _ENTRIES.c.key.in_(bindparam("keys", expanding=True)),
)
_READ_HEAD = select(_HEAD.c.seq, _HEAD.c.hash)
_LOCK_HEAD = _READ_HEAD.with_for_update()
"""Statements of every append: made once, for making one takes longer than running it."""
_MOVE_HEAD = update(_HEAD).values(seq=bindparam("newest"), hash=bindparam("newest_hash"))
CHUNK = 1_000
"""Rows that are read at a time, and keys that are asked for at a time."""


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
        return self._write(model, [(key, decision)])[0]

    def append_many(self, model: str, decisions: Sequence[tuple[str, Decision]]) -> list[Entry]:
        """Add decisions in one transaction: all of them or none."""
        return self._write(model, decisions) if decisions else []

    def crown(self, model: str, *, expected: str | None, champion: Crown, key: str) -> Entry:
        """Make a version the champion if `expected` still is, in one transaction with the look at
        who is.
        """

        def compare(connection: Connection) -> None:
            expect_champion(model, self._champion(connection, model), expected)

        return self._write(model, [(key, champion)], compare)[0]

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

    def newest(self, models: Sequence[str], kinds: Sequence[Kind]) -> list[Entry]:
        """Return the newest entry of each of these models and kinds, oldest first."""
        columns = _ENTRIES.c
        found: list[Entry] = []
        with self._database.border(), self._database.reader.connect() as connection:
            for start in range(0, len(models), CHUNK):
                some = columns.model.in_(models[start : start + CHUNK])
                last = select(func.max(columns.seq)).where(some, columns.kind.in_(kinds))
                query = select(_ENTRIES).where(
                    columns.seq.in_(last.group_by(columns.model, columns.kind))
                )
                found += map(self._entry, connection.execute(query))
        return sorted(found, key=lambda entry: entry.seq)

    def since(self, models: Sequence[str], kinds: Sequence[Kind], moment: datetime) -> list[Entry]:
        """Return the entries of these models and kinds from a moment on, oldest first."""
        # Texts of whole seconds stand in the order of time; a fraction stands before its second
        columns, first = _ENTRIES.c, iso(moment.replace(microsecond=0) - timedelta(seconds=1))
        found: list[Entry] = []
        with self._database.border(), self._database.reader.connect() as connection:
            for start in range(0, len(models), CHUNK):
                some = columns.model.in_(models[start : start + CHUNK])
                query = select(_ENTRIES).where(some, columns.kind.in_(kinds), columns.at >= first)
                found += map(self._entry, connection.execute(query))
        return sorted((e for e in found if e.at >= moment), key=lambda entry: entry.seq)

    def champion(self, model: str) -> Champion | None:
        """Return who serves now, or None before the first deployment."""
        with self._database.border(), self._database.reader.connect() as connection:
            return self._champion(connection, model)

    def walk(self, model: str | None = None) -> Iterator[Entry]:
        """Yield entries oldest first, read in chunks."""
        seq = 0
        while True:
            query = select(_ENTRIES).where(_ENTRIES.c.seq > seq).order_by(_ENTRIES.c.seq)
            if model is not None:
                query = query.where(_ENTRIES.c.model == model)
            with self._database.border(), self._database.reader.connect() as connection:
                rows = connection.execute(query.limit(CHUNK)).all()
            yield from map(self._entry, rows)
            if len(rows) < CHUNK:
                return
            seq = rows[-1].seq

    def turn(self, what: str) -> AbstractContextManager[bool]:
        """Have the turn `what`, or not."""
        return self._database.turn(what)

    def verify(self, after: Head | None = None, note: Note | None = None) -> int:
        """Check the whole chain, or what follows `after`; no writer waits for it.

        Return the chain's length. `note` is told of each entry that was checked.
        Raises Corrupted naming the first entry that was touched or is missing.
        """
        start = after.seq if after else 0
        with self._database.border(), self._database.snapshot.connect() as connection:
            head = self._read_head(connection, lock=False)
            if after and start:
                known = select(_ENTRIES.c.hash).where(_ENTRIES.c.seq == start)
                if connection.execute(known).scalar_one_or_none() != after.hash:
                    raise self._make_corrupted(start)
            rows = connection.execution_options(yield_per=CHUNK).execute(
                select(_ENTRIES).where(_ENTRIES.c.seq > start).order_by(_ENTRIES.c.seq)
                if start
                else select(_ENTRIES).order_by(_ENTRIES.c.seq)
            )
            place = first_stored_break(map(tuple, rows), head, after if start else None, note)
        if place is not None:
            raise self._make_corrupted(place)
        return head.seq

    def expect_writable(self) -> None:
        """Begin to write, as `append` does, and take it back.

        Raises Unreachable or Busy where an entry could not be written.
        """
        with (
            self._database.border(),
            self._database.writer.connect() as connection,
            connection.begin() as transaction,
        ):
            head = self._read_head(connection, lock=True)
            connection.execute(_MOVE_HEAD, {"newest": head.seq + 1, "newest_hash": head.hash})
            transaction.rollback()

    def _write(
        self,
        model: str,
        decisions: Sequence[tuple[str, Decision]],
        check: Callable[[Connection], None] = lambda _: None,
    ) -> list[Entry]:
        """Append the decisions whose keys are not there, in one transaction, in which `check` may
        refuse what is new.
        """
        with self._database.border(), self._database.writer.begin() as connection:
            head = self._read_head(connection, lock=True)  # from here on this is the only writer
            found = self._find_all(connection, model, decisions)
            entries: list[Entry] = []
            for key, decision in decisions:
                entry = found.get((decision.kind, key))
                if entry is None:
                    check(connection)
                    entry, columns = chain_stored(
                        head, at=self._now(), model=model, key=key, decision=decision
                    )
                    head = Head(seq=entry.seq, hash=entry.hash)
                    connection.execute(_ADD, columns._asdict())
                    connection.execute(_MOVE_HEAD, {"newest": head.seq, "newest_hash": head.hash})
                    found[decision.kind, key] = entry
                entries.append(entry)
            return entries

    def _read_head(self, connection: Connection, *, lock: bool) -> Head:
        """Return the head; with `lock` it stays so until the transaction ends (PostgreSQL; a SQLite
        writer holds the whole database).
        """
        row = connection.execute(_LOCK_HEAD if lock else _READ_HEAD).one_or_none()
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

    def _find_all(
        self, connection: Connection, model: str, decisions: Sequence[tuple[str, Decision]]
    ) -> dict[tuple[str, str], Entry]:
        """Return the entries that are there already, by kind and key."""
        names = dict.fromkeys((decision.kind, key) for key, decision in decisions)
        found: dict[tuple[str, str], Entry] = {}
        for kind in {kind for kind, _ in names}:
            keys = [key for k, key in names if k == kind and "\x00" not in f"{model}{kind}{key}"]
            for start in range(0, len(keys), CHUNK):
                same = {"model": model, "kind": kind, "keys": keys[start : start + CHUNK]}
                for row in connection.execute(_SOME, same):
                    found[row.kind, row.key] = self._entry(row)
        return found

    def _champion(self, connection: Connection, model: str) -> Champion | None:
        crowns = select(_ENTRIES).where(_ENTRIES.c.model == model, _ENTRIES.c.kind == "champion")
        row = connection.execute(crowns.order_by(_ENTRIES.c.seq.desc()).limit(1)).one_or_none()
        return champion_of(self._entry(row) if row else None)

    def _entry(self, row: Row[Any]) -> Entry:
        """Return an entry that is whole by its own hash. Raises Corrupted naming it otherwise."""
        try:
            if StoredEntry._make(row).own_hash() != row.hash:
                raise self._make_corrupted(row.seq)
            return Entry.model_validate({**row._asdict(), "body": json.loads(row.body)})
        except (ValidationError, ValueError, TypeError, RecursionError) as error:
            raise self._make_corrupted(row.seq) from error

    def _make_corrupted(self, seq: int) -> Corrupted:
        return Corrupted(
            f"Entry {seq} of {self._database.name} was touched or is missing.", remedy=RESTORE
        )
