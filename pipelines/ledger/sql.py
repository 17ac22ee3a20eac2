"""The ledger in SQL: SQLite by default, PostgreSQL in production."""

from __future__ import annotations

import contextlib
import json
import secrets
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout
from pydantic import ValidationError
from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    event,
    insert,
    inspect,
    make_url,
    select,
    text,
    update,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from pipelines.errors import (
    Busy,
    Corrupted,
    GiveUp,
    PerennialError,
    RequestError,
    StorageFull,
    Unreachable,
)
from pipelines.intervals import iso
from pipelines.ledger.memory import utc_now
from pipelines.ledger.port import (
    Champion,
    Entry,
    Head,
    Kind,
    chained,
    champion_of,
    expect_champion,
    first_break,
    plain_champion,
)
from pipelines.private_files import make_folder
from pipelines.refs import canonical
from pipelines.sqlite import fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from sqlalchemy import URL, Connection, Engine, Row

    from pipelines.sqlite import Fault

REVISION = "0002"
"""The newest migration; a ledger that has it is opened without Alembic."""

WAIT_SECONDS = 30
"""How long a writer waits for another one."""

_MIGRATING = 5_377_001
"""The number of the advisory lock under which PostgreSQL migrates."""

_BUSY = ("55P03", "40P01")
_FULL = ("53100",)
_DAMAGED = ("P0001", "XX001", "XX002", "42P01", "42703")
"""What PostgreSQL calls these (P0001 is raised by the ledger's own triggers, 42P01 and 42703 are
missing tables and columns)."""

_TABLES = {"alembic_version", "entries", "head"}
_RESTORE = "restore the ledger from a backup."
_NEW = (
    "restore it from a backup (docs/operate.md, Damage); only where nothing was ever decided,"
    " remove the file."
)

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
        try:
            self._url = make_url(url)
            self._engine = _engine(self._url)
        except (ArgumentError, ImportError) as error:
            raise RequestError(
                "PERENNIAL_LEDGER_URL is no URL that SQLAlchemy can open.",
                remedy="see docs/settings.md.",
            ) from error
        self._now = now
        self._writer = self._engine.execution_options(begin="IMMEDIATE")
        self._file = (
            Path(self._url.database or "") if self._url.get_backend_name() == "sqlite" else None
        )
        self._name = f"the ledger {self._url.render_as_string(hide_password=True)}"
        if migrate:
            with self._border():
                self._open()

    def revision(self) -> str | None:
        """Return the revision of the tables that are there (`REVISION` is the newest).

        None where there are none yet.

        Raises Corrupted where there is a file that holds no ledger.
        """
        with self._border():
            if self._file is not None and not self._is_there(self._file):
                return None
            return self._revision(self._engine)

    def append(self, model: str, kind: Kind, key: str, body: dict[str, Any]) -> Entry:
        """Add a decision once: with a key that is there already, return that entry and change
        nothing.
        """
        return self._once(model, kind, key, lambda _: body)

    def crown(
        self, model: str, *, expected: str | None, champion: dict[str, Any], key: str
    ) -> Entry:
        """Make a version the champion if `expected` still is, in one transaction with the look at
        who is.
        """
        body = plain_champion(champion)

        def compared(connection: Connection) -> dict[str, Any]:
            expect_champion(model, self._champion(connection, model), expected)
            return body

        return self._once(model, "champion", key, compared)

    def find(self, model: str, kind: Kind, key: str) -> Entry | None:
        """Return the decision with this key, or None."""
        with self._border(), self._engine.connect() as connection:
            return self._find(connection, model, kind, key)

    def at(self, seq: int) -> Entry | None:
        """Return the entry with this number, or None."""
        with self._border(), self._engine.connect() as connection:
            row = connection.execute(select(_ENTRIES).where(_ENTRIES.c.seq == seq)).one_or_none()
            return self._entry(row) if row else None

    def entries(
        self, model: str | None = None, kind: Kind | None = None, limit: int | None = None
    ) -> list[Entry]:
        """Return entries oldest first; with `limit`, the newest of them."""
        wanted = select(_ENTRIES).order_by(_ENTRIES.c.seq.desc())
        if model is not None:
            wanted = wanted.where(_ENTRIES.c.model == model)
        if kind is not None:
            wanted = wanted.where(_ENTRIES.c.kind == kind)
        if limit is not None:
            wanted = wanted.limit(max(limit, 0))
        with self._border(), self._engine.connect() as connection:
            return [self._entry(row) for row in connection.execute(wanted)][::-1]

    def champion(self, model: str) -> Champion | None:
        """Return who serves now, or None before the first deployment."""
        with self._border(), self._engine.connect() as connection:
            return self._champion(connection, model)

    def verify(self) -> int:
        """Check the whole chain and return its length.

        Raises Corrupted naming the first entry that was touched or is missing.
        """
        with self._border(), self._engine.connect() as connection:
            head = self._head(connection)
            rows = connection.execution_options(yield_per=1_000).execute(
                select(_ENTRIES).order_by(_ENTRIES.c.seq)
            )
            broken = first_break((self._untouched(row) for row in rows), head)
        if broken is not None:
            raise self._touched(broken)
        return head.seq

    def _once(
        self, model: str, kind: Kind, key: str, body: Callable[[Connection], dict[str, Any]]
    ) -> Entry:
        """Append the entry whose body is computed in the transaction, unless its key is there."""
        with self._border(), self._writer.begin() as connection:
            head = self._head(connection)  # first: from here on this is the only writer
            known = self._find(connection, model, kind, key)
            if known is not None:
                return known
            entry = chained(
                head, at=self._now(), model=model, kind=kind, key=key, body=body(connection)
            )
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
        if row is None:
            raise Corrupted(f"The head of {self._name} is missing.", remedy=_RESTORE)
        try:
            return Head(seq=row.seq, hash=row.hash)
        except ValidationError as error:
            raise Corrupted(f"The head of {self._name} was touched.", remedy=_RESTORE) from error

    def _find(self, connection: Connection, model: str, kind: Kind, key: str) -> Entry | None:
        if "\x00" in f"{model}{kind}{key}":
            return None  # no entry can be called so, and PostgreSQL's driver will not even ask
        same = (_ENTRIES.c.model == model, _ENTRIES.c.kind == kind, _ENTRIES.c.key == key)
        row = connection.execute(select(_ENTRIES).where(*same)).one_or_none()
        return self._entry(row) if row else None

    def _champion(self, connection: Connection, model: str) -> Champion | None:
        crowned = select(_ENTRIES).where(_ENTRIES.c.model == model, _ENTRIES.c.kind == "champion")
        row = connection.execute(crowned.order_by(_ENTRIES.c.seq.desc()).limit(1)).one_or_none()
        try:
            return champion_of(self._entry(row) if row else None)
        except (KeyError, ValidationError) as error:
            raise self._touched(row.seq if row else 0) from error

    def _entry(self, row: Row[Any]) -> Entry:
        try:
            return Entry.model_validate({**row._asdict(), "body": json.loads(row.body)})
        except (ValidationError, ValueError, TypeError, RecursionError) as error:
            raise self._touched(row.seq) from error

    def _untouched(self, row: Row[Any]) -> Entry:
        """Return the entry if its texts are the very ones that were written.

        Its hash speaks of their meaning only.
        """
        entry = self._entry(row)
        if (row.body, row.at) != (canonical(entry.body).decode(), iso(entry.at)):
            raise self._touched(row.seq)
        return entry

    def _touched(self, seq: int) -> Corrupted:
        return Corrupted(f"Entry {seq} of {self._name} was touched or is missing.", remedy=_RESTORE)

    def _open(self) -> None:
        """Bring the ledger to the newest revision; one that has it costs one connection."""
        if self._file is None:
            if self._revision(self._engine) != REVISION:
                self._migrate(self._writer)
            return
        if self._is_there(self._file) and self._revision(self._engine) == REVISION:
            return
        make_folder(self._file.parent)
        with FileLock(f"{self._file}.lock", timeout=WAIT_SECONDS, mode=0o600):
            if not self._is_there(self._file):
                self._make(self._file)
            elif self._revision(self._engine) != REVISION:
                self._migrate(self._writer)

    def _is_there(self, file: Path) -> bool:
        """Tell whether there is a file.

        Raises Corrupted where it is empty, or gone while its journal is there: it was a ledger
        once.
        """
        if file.is_file():
            if file.stat().st_size == 0:
                raise Corrupted(f"The file of {self._name} is empty.", remedy=_NEW)
            return True
        journal = file.with_name(f"{file.name}-wal")
        if journal.exists():
            raise Corrupted(
                f"The file of {self._name} is gone, but {journal.name} is still there.", remedy=_NEW
            )
        return False

    def _make(self, file: Path) -> None:
        """Make a new ledger beside its place and move it there.

        A file under the ledger's own name is always a whole one.
        """
        draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}.tmp")
        draft.touch(mode=0o600)
        try:
            engine = _engine(self._url.set(database=str(draft)))
            with (
                engine.connect() as connection
            ):  # the mode is kept in the file; it cannot be set in a transaction
                connection.execution_options(begin=None).exec_driver_sql("PRAGMA journal_mode=WAL")
            self._migrate(engine.execution_options(begin="IMMEDIATE"))
            draft.replace(file)
        finally:
            draft.unlink(missing_ok=True)

    def _revision(self, engine: Engine) -> str | None:
        """Return the revision; None in a database without tables.

        Raises Corrupted where it is one of something else.
        """
        with engine.connect() as connection:
            names = set(inspect(connection).get_table_names())
            if self._file is not None and not names:
                raise Corrupted(f"The file of {self._name} holds no tables.", remedy=_NEW)
            if "alembic_version" not in names and not (self._file is not None and names):
                return None
            if not names >= _TABLES:
                missing = ", ".join(sorted(_TABLES - names))
                raise Corrupted(
                    f"{self._name} is no ledger: it has no table {missing}.", remedy=_RESTORE
                )
            return connection.execute(
                text("SELECT version_num FROM alembic_version")
            ).scalar_one_or_none()

    def _migrate(self, writer: Engine) -> None:
        """Run the missing migrations in one transaction, which only one process at a time is in."""
        from alembic import command
        from alembic.config import Config
        from alembic.util import CommandError

        config = Config()
        config.set_main_option(
            "script_location", str(Path(__file__).with_name("alembic")).replace("%", "%%")
        )
        with writer.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(
                    text("SELECT pg_advisory_xact_lock(:number)"), {"number": _MIGRATING}
                )
            config.attributes["connection"] = connection
            try:
                command.upgrade(config, "head")
            except CommandError as error:
                message = f"The revision of {self._name} is unknown: {error}"
                raise GiveUp(message, remedy="a newer Perennial wrote it; use that one.") from error

    @contextlib.contextmanager
    def _border(self) -> Iterator[None]:
        """Translate what the database, its driver and the file system raise."""
        try:
            yield
        except DBAPIError as error:
            raise self._named(error) from error
        except (SQLAlchemyError, sqlite3.Error, UnicodeError) as error:
            # Not what a database in use or away raises: two heads, a text that is none, a file that
            # cannot be opened as one.

            if fault(error) in {"busy", "full", "away"}:
                raise Unreachable(
                    f"{self._name} cannot be opened: {error}.", remedy="run again."
                ) from error
            raise Corrupted(f"{self._name} is damaged: {error}.", remedy=_RESTORE) from error
        except Timeout as error:
            raise Busy(
                f"Another process has been migrating {self._name} for {WAIT_SECONDS} s."
            ) from error
        except OSError as error:
            raise Unreachable(
                f"{self._name} cannot be opened: {error}.",
                remedy="check the folder's permissions and space.",
            ) from error

    def _named(self, error: DBAPIError) -> PerennialError:
        kind = fault(error) or _meaning(str(getattr(error.orig, "pgcode", None) or ""))
        if kind == "busy":
            return Busy(
                f"Another writer held {self._name} for more than {WAIT_SECONDS} s.",
                remedy="run again.",
            )
        if kind == "full":
            return StorageFull(
                f"No space is left for {self._name}.",
                remedy="free space there, then run again; nothing was recorded.",
            )
        if kind == "damaged" or isinstance(error, IntegrityError):
            return Corrupted(f"{self._name} is damaged: {error.orig}.", remedy=_RESTORE)
        return Unreachable(
            f"{self._name} does not answer: {error.orig}.",
            remedy="check that the database runs, then run again.",
        )


def _meaning(code: str) -> Fault:
    """Return what a SQLSTATE of PostgreSQL means."""
    known: dict[Fault, tuple[str, ...]] = {"busy": _BUSY, "full": _FULL, "damaged": _DAMAGED}
    return next((kind for kind, codes in known.items() if code in codes), "away")


def _engine(url: URL) -> Engine:
    if url.get_backend_name() == "postgresql":
        # Of two writers the second waits for the head's row: not for ever, and it then sees what
        # the first one wrote.

        patient = {"connect_timeout": 10, "options": f"-c lock_timeout={WAIT_SECONDS * 1_000}"}
        known = {name: value for name, value in patient.items() if name not in url.query}
        return create_engine(
            url, poolclass=NullPool, isolation_level="READ COMMITTED", connect_args=known
        )
    if url.get_backend_name() != "sqlite":
        return create_engine(url, poolclass=NullPool)
    if url.database in {None, "", ":memory:"}:
        raise RequestError(
            "A ledger in memory would be lost with each connection.",
            remedy="name a file: sqlite:////path/ledger.db",
        )
    engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": WAIT_SECONDS})
    event.listen(engine, "connect", _own_transactions)
    event.listen(engine, "begin", _begin)
    return engine


def _own_transactions(connection: Any, _record: object) -> None:
    """Keep sqlite3 from opening transactions by itself, and let each commit reach the disk."""
    connection.isolation_level = None
    connection.execute("PRAGMA synchronous=FULL")


def _begin(connection: Connection) -> None:
    """Take the write lock at the start.

    A reader that becomes a writer later fails at once instead of waiting.
    """
    begin = connection.get_execution_options().get("begin", "DEFERRED")
    if begin:
        connection.exec_driver_sql(f"BEGIN {begin}")
