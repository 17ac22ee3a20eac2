"""The databases of a system, copied while they are in use.

SQLite by its backup API, PostgreSQL by its own programs.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from sqlalchemy import create_engine, inspect, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from pipelines.errors import Corrupted, PerennialError, RequestError, StorageFull, Unreachable
from pipelines.full_disk import is_full
from pipelines.private_files import make_folder
from pipelines.settings import airflow_database
from pipelines.sqlite import damage, fault

if TYPE_CHECKING:
    from sqlalchemy import URL

    from pipelines.settings import Settings

Kind = Literal["sqlite", "postgresql"]

_RESTORE = "restore it from a backup (docs/operate.md, Damage)."
_CLIENT = (
    "put PostgreSQL's client programs on PATH (Debian: postgresql-client), as new as the server."
)
_LIBPQ = {
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "host": "PGHOST",
}


class Database(NamedTuple):
    """One database: what it is for, and where it is."""

    name: str
    url: URL

    @property
    def kind(self) -> Kind:
        """Which program made it."""
        return "sqlite" if self.url.get_backend_name() == "sqlite" else "postgresql"

    @property
    def file(self) -> Path:
        """The file of a SQLite database."""
        return Path(self.url.database or "")

    @property
    def display_name(self) -> str:
        """Return its name and address without a password."""
        return f"{self.name}'s database {self.url.render_as_string(hide_password=True)}"


def databases(settings: Settings, environ: dict[str, str] | None = None) -> list[Database]:
    """Return the ledger's database, MLflow's and Airflow's, in this order.

    Raises RequestError for one that cannot be copied.
    """
    urls = {
        "ledger": settings.ledger_url,
        "mlflow": settings.mlflow_database,
        "airflow": airflow_database(settings, environ),
    }
    answer = []
    for name, url in urls.items():
        try:
            database = Database(name, make_url(url))
        except ArgumentError as error:
            raise RequestError(
                f"The URL of {name}'s database is none that SQLAlchemy can open.",
                remedy="see docs/settings.md.",
            ) from error
        if database.url.get_backend_name() not in {"sqlite", "postgresql"}:
            raise RequestError(
                f"{database.display_name} is neither SQLite nor PostgreSQL.",
                remedy="back it up by its own means.",
            )
        answer.append(database)
    return answer


def tables(database: Database) -> int:
    """Return how many tables there are; 0 where the database's file is not there.

    Raises Corrupted where it is damaged (or an empty file: nobody knows what was in it),
    Unreachable where it is away or in use.
    """
    if database.kind == "sqlite":
        if not database.file.is_file():
            return 0
        if database.file.stat().st_size == 0:
            raise Corrupted(
                f"{database.display_name} is damaged: the file is empty.", remedy=_RESTORE
            )
    engine = create_engine(database.url, poolclass=NullPool)
    try:
        with engine.connect() as connection:
            return len(inspect(connection).get_table_names())
    except SQLAlchemyError as error:
        why = getattr(error, "orig", None) or error
        if fault(error) == "damaged":
            raise Corrupted(
                f"{database.display_name} is damaged: {why}.", remedy=_RESTORE
            ) from error
        raise Unreachable(
            f"{database.display_name} does not answer: {why}.",
            remedy="check that the database runs, then try again.",
        ) from error


def refuse_damage(database: Database) -> None:
    """Raise Corrupted where a SQLite file is damaged; every page is looked at.

    Raises Unreachable where it cannot be read now.
    """
    if database.kind != "sqlite" or not database.file.is_file():
        return
    try:
        wrong = damage(database.file)
    except (sqlite3.Error, OSError) as error:
        raise Unreachable(
            f"{database.display_name} cannot be read: {error}.",
            remedy="check the file's permissions, then run again.",
        ) from error
    if wrong:
        raise Corrupted(f"{database.display_name} is damaged: {wrong}.", remedy=_RESTORE)


def dump(database: Database, target: Path) -> None:
    """Write a copy of the database, as of one moment, to the new file `target` (mode 600)."""
    target.touch(mode=0o600)
    if database.kind == "postgresql":
        _run(
            database,
            "pg_dump",
            ["--format=custom", "--no-owner", "--no-privileges", f"--file={target}"],
        )
        return
    try:
        with (
            closing(sqlite3.connect(database.file)) as source,
            closing(sqlite3.connect(target)) as copy,
        ):
            source.backup(copy)
            (sound,) = copy.execute("PRAGMA quick_check").fetchone()
    except sqlite3.Error as error:
        raise _name_error(database, error) from error
    if sound != "ok":
        raise Corrupted(
            f"{database.display_name} is damaged: {sound}.",
            remedy="restore it from an earlier backup.",
        )


def load(database: Database, source: Path) -> None:
    """Make the database, which is empty, from a copy that `dump` wrote.

    A SQLite file is moved to its place.
    """
    if database.kind == "postgresql":
        arguments = [
            "--no-owner",
            "--no-privileges",
            "--exit-on-error",
            "--single-transaction",
            f"--dbname={database.url.database}",
        ]
        _run(database, "pg_restore", [*arguments, str(source)])
        return
    make_folder(database.file.parent)
    for journal in (
        "-wal",
        "-shm",
        "-journal",
    ):  # left by a database that was removed; SQLite would write it into this one
        database.file.with_name(database.file.name + journal).unlink(missing_ok=True)
    source.chmod(0o600)
    shutil.move(source, database.file)


def _run(database: Database, program: str, arguments: list[str]) -> None:
    """Run one of PostgreSQL's programs.

    The password is in its environment, where other users cannot see it.
    """
    try:
        process = subprocess.run(
            [program, "--no-password", *arguments],
            env=_environment(database.url),
            capture_output=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise PerennialError(
            f"{program} is not there, by which {database.name}'s database is copied.",
            remedy=_CLIENT,
        ) from error
    if process.returncode == 0:
        return
    output = process.stderr.decode(errors="replace").strip()
    words = f"{program} failed for {database.display_name}: {output[-1_000:]}"
    if is_full(output):
        raise StorageFull(words, remedy="free space, then run again.")
    if "connection to server" in output:
        raise Unreachable(
            words, remedy="check that the database runs and the URL is right, then run again."
        )
    raise PerennialError(
        words,
        remedy=_CLIENT if "version mismatch" in output or "unsupported version" in output else "",
    )


def _environment(url: URL) -> dict[str, str]:
    from_url = {
        "PGHOST": url.host,
        "PGPORT": url.port and str(url.port),
        "PGUSER": url.username,
        "PGPASSWORD": url.password,
    }
    options = {variable: url.query.get(name) for name, variable in _LIBPQ.items()}
    texts = {
        name: value
        for name, value in {**options, **from_url, "PGDATABASE": url.database}.items()
        if isinstance(value, str) and value
    }
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LC_ALL": "C.UTF-8",
        "PGCONNECT_TIMEOUT": "10",
        **texts,
    }


def _name_error(database: Database, error: sqlite3.Error) -> PerennialError:
    kind = fault(error)
    if kind == "full":
        return StorageFull(
            f"No space is left for a copy of {database.display_name}.",
            remedy="free space, then run again.",
        )
    if kind == "damaged":
        return Corrupted(
            f"{database.display_name} is damaged: {error}.",
            remedy="restore it from an earlier backup.",
        )
    return Unreachable(
        f"{database.display_name} cannot be read: {error}.",
        remedy="check the file's permissions, then run again.",
    )
