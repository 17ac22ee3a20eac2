"""The database that holds a ledger: opened, made and migrated; SQLite or PostgreSQL."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool

from pipelines.errors import Busy, Corrupted, GiveUp, RequestError
from pipelines.ledger.database_errors import RESTORE, WAIT_SECONDS, database_border
from pipelines.locks import hold

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from sqlalchemy import URL, Connection, Engine

REVISION = "0003"
"""The newest migration; a ledger that has it is opened without Alembic."""

SILENT_SECONDS = 20
"""So long a writer may say nothing in the middle of its transaction: less than others wait."""

_MIGRATING = 5_377_001
"""The number of the advisory lock under which PostgreSQL migrates."""

_NOTICE_LOST_HOSTS = (
    "SELECT set_config('tcp_keepalives_idle', '30', false),"
    " set_config('tcp_keepalives_interval', '10', false),"
    " set_config('tcp_keepalives_count', '3', false)"
)

_END_SILENT_WRITER = f"SET LOCAL idle_in_transaction_session_timeout = {SILENT_SECONDS * 1_000}"
"""A writer that is cut off or stopped in the middle would hold off all others: by itself the server
waits two hours for a lost host, and for ever for a process that is stopped."""

_TABLES = {"alembic_version", "entries", "head"}
_NEW = (
    "restore it from a backup (docs/operate.md, Damage); only where nothing was ever decided,"
    " remove the file."
)


class LedgerDatabase:
    """A ledger's database, by its SQLAlchemy URL.

    `reader`, `snapshot` and `writer` open a connection for each use: the writer's transactions hold
    off other writers from their start on, those of `snapshot` see the database as it was at their
    start. `name` is what messages call it; it shows no password.
    """

    def __init__(self, url: str) -> None:
        """Remember the URL; nothing is opened yet. Raises RequestError for an impossible one."""
        try:
            self._url = make_url(url)
            self.reader = _engine(self._url)
        except (ArgumentError, ImportError) as error:
            raise RequestError(
                "PERENNIAL_LEDGER_URL is no URL that SQLAlchemy can open.",
                remedy="see docs/settings.md.",
            ) from error
        self.writer = self.reader.execution_options(begin="IMMEDIATE")
        # a transaction of SQLite is one anyway
        self.snapshot = (
            self.reader.execution_options(isolation_level="REPEATABLE READ")
            if self._url.get_backend_name() == "postgresql"
            else self.reader
        )
        self._file = (
            Path(self._url.database or "") if self._url.get_backend_name() == "sqlite" else None
        )
        self.name = f"the ledger {self._url.render_as_string(hide_password=True)}"

    def border(self) -> AbstractContextManager[None]:
        """Return the border at which what the database raises becomes one of pipelines.errors."""
        return database_border(self.name)

    def revision(self) -> str | None:
        """Return the revision of the tables that are there; None where there are none yet.

        Raises Corrupted where there is a file that holds no ledger.
        """
        if self._file is not None and not self._is_there(self._file):
            return None
        return self._revision(self.reader)

    def open(self) -> None:
        """Bring the ledger to the newest revision; one that has it costs one connection."""
        if self._file is None:
            if self._revision(self.reader) != REVISION:
                self._migrate(self.writer)
            return
        if self._is_there(self._file) and self._revision(self.reader) == REVISION:
            return
        complaint = f"Another process has been migrating {self.name} for {WAIT_SECONDS} s."
        with hold(Path(f"{self._file}.lock"), complaint, seconds=WAIT_SECONDS, remedy="run again."):
            if not self._is_there(self._file):
                self._make(self._file)
            elif self._revision(self.reader) != REVISION:
                self._migrate(self.writer)

    @contextlib.contextmanager
    def turn(self, what: str) -> Iterator[bool]:
        """Have the turn `what`; yield whether it was free.

        In PostgreSQL it is an advisory lock of the connection, beside SQLite's file a lock file.
        """
        if self._file is not None:
            with _held_turn(self._file.with_name(f"{self._file.name}.{what}.lock")) as is_ours:
                yield is_ours
            return
        number = int.from_bytes(hashlib.sha256(what.encode()).digest()[:8], "big", signed=True)
        with contextlib.ExitStack() as stack:
            with self.border():
                reader = self.reader.execution_options(isolation_level="AUTOCOMMIT")
                connection = stack.enter_context(reader.connect())
                # Thrown away, not put in order for others: it may be dead by then, and its lock
                # with it, which is no fault of what was done meanwhile.
                stack.callback(connection.invalidate)
                # A host that lost its power or its network says no goodbye; by itself the server
                # would wait two hours for it.
                connection.execute(text(_NOTICE_LOST_HOSTS))
                # Nobody else's: of another number than the migration's
                query = text("SELECT pg_try_advisory_lock(:number)")
                is_ours = bool(connection.execute(query, {"number": number}).scalar_one())
            yield is_ours  # the connection is closed behind it, and the lock ends with it

    def _is_there(self, file: Path) -> bool:
        """Tell whether there is a file.

        Raises Corrupted where it is empty, or gone while its journal is there: it was a ledger
        once.
        """
        if file.is_file():
            if file.stat().st_size == 0:
                raise Corrupted(f"The file of {self.name} is empty.", remedy=_NEW)
            return True
        journal = file.with_name(f"{file.name}-wal")
        if journal.exists():
            raise Corrupted(
                f"The file of {self.name} is gone, but {journal.name} is still there.", remedy=_NEW
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
                raise Corrupted(f"The file of {self.name} holds no tables.", remedy=_NEW)
            if "alembic_version" not in names and not (self._file is not None and names):
                return None
            if not names >= _TABLES:
                missing_tables = ", ".join(sorted(_TABLES - names))
                raise Corrupted(
                    f"{self.name} is no ledger: it has no table {missing_tables}.", remedy=RESTORE
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
                message = f"The revision of {self.name} is unknown: {error}"
                raise GiveUp(message, remedy="a newer Perennial wrote it; use that one.") from error


@contextlib.contextmanager
def _held_turn(file: Path) -> Iterator[bool]:
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(hold(file, "Another one has the turn.", seconds=0))
        except Busy:
            is_ours = False
        else:
            is_ours = True
        yield is_ours


def _engine(url: URL) -> Engine:
    if url.get_backend_name() == "postgresql":
        # Of two writers the second waits for the head's row: not for ever, and it then sees what
        # the first one wrote.

        patient = {"connect_timeout": 10, "options": f"-c lock_timeout={WAIT_SECONDS * 1_000}"}
        arguments = {name: value for name, value in patient.items() if name not in url.query}
        engine = create_engine(
            url, poolclass=NullPool, isolation_level="READ COMMITTED", connect_args=arguments
        )
        event.listen(engine, "begin", _begin_in_time)
        return engine
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


def _begin_in_time(connection: Connection) -> None:
    """Have the server end a writer's transaction whose host has gone silent, and let others in."""
    if connection.get_execution_options().get("begin") == "IMMEDIATE":
        connection.exec_driver_sql(_END_SILENT_WRITER)


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
