"""What lies outside the state, or in the databases of other programs: MLflow's and Airflow's.

Their SQLite files below the state are looked at as files. What cannot be reached is named.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import MetaData, create_engine, make_url, select
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from pipelines.ops.traces.content import database_holds, holds
from pipelines.settings import airflow_database, airflow_logs, is_web

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import URL, Engine, Table

    from pipelines.ops.traces.sought import Sought
    from pipelines.settings import Settings

ROWS = 1_000
"""Rows of a database that are in memory at a time."""


def outer_folders(settings: Settings) -> dict[str, Path]:
    """Return the folders that are not below the state, by who writes there."""
    folders = {"mlflow": settings.mlflow_artifacts, "airflow": airflow_logs(settings)}
    state = settings.state.resolve()
    return {
        place: folder
        for place, folder in folders.items()
        if folder.is_dir() and not folder.resolve().is_relative_to(state)
    }


def outer_databases(settings: Settings) -> tuple[dict[str, URL], list[str]]:
    """Return the databases that are no file below the state, by whose they are, and in words those
    that nobody here knows the way to.
    """
    unseen = []
    urls = {"mlflow": settings.mlflow_database, "airflow": airflow_database(settings)}
    if is_web(settings.mlflow_uri) and not settings.is_set("mlflow_database"):
        # By default the server that runs on the state keeps it there
        if not (settings.state / "mlflow" / "mlflow.db").is_file():
            unseen.append(
                "MLflow's database, to which PERENNIAL_MLFLOW_DATABASE would show the way"
            )
        del urls["mlflow"]
    found = {}
    for place, text in urls.items():
        try:
            url = make_url(text)
        except ArgumentError:
            unseen.append(f"the database of {place}, whose address SQLAlchemy cannot read")
            continue
        file = file_of(url)
        if file is None or not file.resolve().is_relative_to(settings.state.resolve()):
            found[place] = url
    return found, unseen


def file_of(url: URL) -> Path | None:
    """Return the file of an SQLite database; None of another one."""
    return Path(url.database or "") if url.get_backend_name() == "sqlite" else None


def in_database(url: URL, sought: Sequence[Sought]) -> Iterator[tuple[str, bool | None]]:
    """Yield each table of a database, and whether a cell of it holds what is sought; None where a
    cell is packed and too much to be unpacked.

    Of a file there is one answer for all. Raises SQLAlchemyError where it does not answer.
    """
    file = file_of(url)
    if file is not None:
        if file.is_file():
            yield file.name, database_holds(file, sought)
        return
    yield from in_tables(create_engine(url, poolclass=NullPool), sought)


def in_tables(engine: Engine, sought: Sequence[Sought]) -> Iterator[tuple[str, bool | None]]:
    """Yield each table of a database, and whether a cell of it holds what is sought; None where a
    cell is packed and too much to be unpacked.
    """
    metadata = MetaData()
    metadata.reflect(engine)
    for table in metadata.sorted_tables:
        yield f"table {table.name}", _table_holds(engine, table, sought)


def _table_holds(engine: Engine, table: Table, sought: Sequence[Sought]) -> bool | None:
    names = list(table.columns.keys())
    answer: bool | None = False
    with engine.connect().execution_options(stream_results=True, yield_per=ROWS) as connection:
        for row in connection.execute(select(table)):
            pairs = zip(names, row, strict=True)
            for name, value in pairs:
                found = cell_holds(name, value, sought)
                if found:
                    return True
                if found is None:
                    answer = None
    return answer


def cell_holds(name: str, value: Any, sought: Sequence[Sought]) -> bool | None:
    """Tell whether a cell of a database holds what is sought: a text, JSON or bytes. None where it
    is packed and too much to be unpacked.

    A number counts in JSON under its column's name alone: databases are full of numbers.
    """
    if isinstance(value, str):
        text = value.encode(errors="replace")
        return any(value in s.values and s.looks_at(name) for s in sought) or holds(text, sought)
    if isinstance(value, bytes | memoryview):
        return holds(bytes(value), sought)
    if isinstance(value, dict | list):
        return any(s.in_json(value, name) for s in sought)
    return False


def say_away(place: str, url: URL, error: SQLAlchemyError) -> str:
    """Return in words that a database could not be looked at, without its password."""
    why = str(getattr(error, "orig", None) or error).strip().split("\n")[0][:120]
    return f"{place}'s database {url.render_as_string(hide_password=True)}: {why}"
