"""Real databases for tests: servers of Debian on 127.0.0.1, with data folders that go with them."""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from pipelines.intervals import containing
from pipelines.sources.sql import Sql
from pipelines.spec.sources import SqlSource
from tests.docker.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipelines.sources.port import Raw

KINDS = ("postgresql", "mysql", "sqlite", "duckdb")
START_SECONDS = 60
QUIET: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


FIRST = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
DAY = containing(FIRST, "day")
WHERE = "where seen >= :start and seen < :end"


@dataclass
class Shop:
    """An empty database of its own for a test."""

    kind: str
    url: str

    def run(self, *statements: str) -> list[Any]:
        """Run statements and keep what they change; return the rows of the last one."""
        if self.kind == "duckdb":
            with duckdb.connect(make_url(self.url).database) as connection:
                for statement in statements:
                    connection.execute(statement)
                return list(connection.fetchall())
        return _run(self.url, *statements)


def raw(shop: Shop, query: str, seconds: float | None = None, **more: Any) -> Raw:
    """Return what the `sql` source reads of the day with a query."""
    source = SqlSource(kind="sql", database="shop", query=query, first=FIRST, **more)
    return Sql(source, "seen", {"PERENNIAL_SQL_SHOP": shop.url}, seconds=seconds).read(DAY)


def read(shop: Shop, query: str, **more: Any) -> Any:
    """Return the day's rows, which can be read."""
    found = raw(shop, query, **more)
    assert found.problem is None
    return found.tables["events"]


def problem(shop: Shop, query: str) -> str | None:
    """Return what is wrong with the day's rows."""
    return raw(shop, query).problem


def _run(url: str, *statements: str) -> list[Any]:
    rows: list[Any] = []
    with create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT").connect() as link:
        for statement in statements:
            found = link.execute(text(statement.replace(":", r"\:")))
            rows = list(found) if found.returns_rows else []
    return rows


class Databases:
    """What makes a database of each kind; the servers start when they are first asked."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack
        self._servers: dict[str, str] = {}
        self._numbers = itertools.count(1)

    def shop(self, kind: str, folder: Path) -> Shop:
        """Make an empty database."""
        if kind in {"sqlite", "duckdb"}:
            shop = Shop(kind, f"{kind}:///{folder}/shop.{kind}")
            shop.run("create table made (x int)")
            return shop
        if kind not in self._servers:
            self._servers[kind] = self._stack.enter_context(SERVERS[kind]())
        name = f"test_{next(self._numbers)}"
        _run(self._servers[kind], f"create database {name}")
        url = make_url(self._servers[kind]).set(database=name)
        return Shop(kind, url.render_as_string(hide_password=False))


@contextlib.contextmanager
def postgresql() -> Iterator[str]:
    """Yield the URL of a PostgreSQL."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    programs = found[-1].parent if found else _missing("PostgreSQL (apt-get install postgresql)")
    password, port = secrets.token_hex(8), free_port()
    with _folder("postgres") as (folder, owner):
        (folder / "password").write_text(password)
        shutil.chown(folder / "password", owner)
        initdb = [programs / "initdb", "-D", folder / "data", "-U", "shop", "-A", "scram-sha-256"]
        more = [f"--pwfile={folder}/password", "--no-sync", "--encoding=UTF8", "--locale=C"]
        subprocess.run([*initdb, *more], check=True, user=owner, cwd=folder, **QUIET)
        command = [programs / "postgres", "-D", folder / "data", "-p", str(port)]
        # a zone that is not UTC, so that no test passes by the server's own
        more = ["-h", "127.0.0.1", "-k", folder, "-F", "-c", "timezone=America/New_York"]
        url = f"postgresql+psycopg2://shop:{password}@127.0.0.1:{port}/postgres"
        with _serving([*command, *more], folder, owner, lambda: _run(url, "select 1")):
            yield url


@contextlib.contextmanager
def mysql() -> Iterator[str]:
    """Yield the URL of a MariaDB."""
    if not shutil.which("mariadbd"):
        _missing("MariaDB (apt-get install mariadb-server)")
    password, port = secrets.token_hex(8), free_port()
    with _folder("mysql") as (folder, owner):
        start = folder / "start.sql"
        start.write_text(
            f"create user shop@'127.0.0.1' identified by '{password}';\n"
            "grant all on *.* to shop@'127.0.0.1';\n"
        )
        shutil.chown(start, owner)
        install = ["mariadb-install-db", "--no-defaults", f"--datadir={folder}/data"]
        more = ["--auth-root-authentication-method=normal", "--skip-test-db"]
        subprocess.run([*install, *more], check=True, user=owner, cwd=folder, **QUIET)
        command = ["mariadbd", "--no-defaults", f"--datadir={folder}/data", f"--port={port}"]
        more = ["--bind-address=127.0.0.1", f"--socket={folder}/socket", f"--init-file={start}"]
        more += ["--skip-name-resolve", "--default-time-zone=-05:00", f"--pid-file={folder}/pid"]
        url = f"mysql+pymysql://shop:{password}@127.0.0.1:{port}/mysql"
        with _serving([*command, *more], folder, owner, lambda: _run(url, "select 1")):
            yield url


SERVERS = {"postgresql": postgresql, "mysql": mysql}


def _missing(what: str) -> Any:
    """Skip the test; fail it where the databases are promised (CI)."""
    end = pytest.fail if os.environ.get("PERENNIAL_REQUIRE_DATABASES") == "1" else pytest.skip
    end(f"there is no {what}")


@contextlib.contextmanager
def _folder(user: str) -> Iterator[tuple[Path, str | int]]:
    """Yield a folder for a server, and who runs it: as root, neither of the servers starts."""
    folder = Path(tempfile.mkdtemp(prefix="perennial-test-"))
    owner = user if os.geteuid() == 0 else os.geteuid()
    try:
        shutil.chown(folder, owner)
        yield folder, owner
    finally:
        shutil.rmtree(folder)


@contextlib.contextmanager
def _serving(
    command: list[Any], folder: Path, owner: str | int, ask: Callable[[], object]
) -> Iterator[None]:
    """Run a server until the end of the block, from when it answers."""
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log, user=owner, cwd=folder) as server,
    ):
        try:
            deadline = time.monotonic() + START_SECONDS
            while True:
                try:
                    ask()
                    break
                except OperationalError:
                    logged = (folder / "log").read_text()
                    assert server.poll() is None, logged
                    assert time.monotonic() < deadline, logged
                    time.sleep(0.1)
            yield
        finally:
            # PostgreSQL takes its children along; MariaDB has none, and would first write all
            server.send_signal(
                signal.SIGQUIT if Path(command[0]).name == "postgres" else signal.SIGKILL
            )
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(START_SECONDS)
            server.kill()
