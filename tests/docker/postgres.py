"""A real PostgreSQL for tests.

A container of perennial/postgres, published on 127.0.0.1, gone afterwards.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import time
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine, make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from tests.docker.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

IMAGE = "perennial/postgres:latest"
START_SECONDS = 60


class Server:
    """A server whose databases tests make as they need them."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._numbers = itertools.count(1)

    def database(self) -> str:
        """Make an empty database and return its URL."""
        name = f"test_{next(self._numbers)}"
        self.sql(f"CREATE DATABASE {name}")
        return make_url(self.url).set(database=name).render_as_string(hide_password=False)

    def sql(self, *statements: str, url: str = "") -> list[Any]:
        """Run statements, each by itself; return the rows of the last one."""
        engine = create_engine(url or self.url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        rows: list[Any] = []
        with engine.connect() as connection:
            for statement in statements:
                found = connection.exec_driver_sql(statement)
                rows = list(found) if found.returns_rows else []
        return rows


@contextlib.contextmanager
def running(engine: Any) -> Iterator[Server]:
    """Yield a server in a container of its own.

    Without the image the test is skipped, but not where one is promised (CI).
    """
    if not engine.images(IMAGE):
        complaint = f"the image {IMAGE} is not there (make images)"
        (
            pytest.fail(complaint)
            if os.environ.get("PERENNIAL_REQUIRE_ENGINE") == "1"
            else pytest.skip(complaint)
        )
    password = secrets.token_hex(12)
    container = engine.create_container(
        IMAGE,
        name=f"perennial-test-postgres-{secrets.token_hex(4)}",
        environment={
            "POSTGRES_USER": "perennial",
            "POSTGRES_PASSWORD": password,
            "POSTGRES_DB": "perennial",
        },
        ports=[5432],
        labels={"perennial.test": "postgres"},
        host_config=engine.create_host_config(port_bindings={5432: ("127.0.0.1", free_port())}),
    )["Id"]
    try:
        engine.start(container)
        port = engine.port(container, 5432)[0]["HostPort"]
        server = Server(f"postgresql+psycopg2://perennial:{password}@127.0.0.1:{port}/perennial")
        _await(server, lambda: engine.logs(container, tail=20).decode(errors="replace"))
        yield server
    finally:
        engine.remove_container(container, force=True, v=True)


def _await(server: Server, logs: Any) -> None:
    """Return when the server answers twice in a row.

    Some images start it once for themselves before it is ready.
    """
    deadline, answered = time.monotonic() + START_SECONDS, 0
    while answered < 2:
        try:
            server.sql("SELECT 1")
        except OperationalError:
            answered = 0
            assert time.monotonic() < deadline, logs()
        else:
            answered += 1
        time.sleep(0.3)
