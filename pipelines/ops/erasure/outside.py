"""What MLflow and Airflow show of the people: artifacts, tags, lines of logs, results of tasks.

Only what is of the model, and only what nothing else rests on: a fitted model among the artifacts
stays, and so does what a run that is not over may still ask for. Each part can be done twice.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from typing import TYPE_CHECKING, Any

from sqlalchemy import MetaData, Table, create_engine, delete, event, make_url, select
from sqlalchemy.exc import ArgumentError, NoSuchTableError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from pipelines.mlflow_pages import find_experiment
from pipelines.ops.erasure.compacting import SECONDS, compact
from pipelines.ops.erasure.mlflow_texts import erase_texts
from pipelines.ops.prune.files import files_below
from pipelines.ops.traces.content import holds
from pipelines.ops.traces.outside import cell_holds, file_of
from pipelines.ops.traces.search import file_holds
from pipelines.settings import airflow_database, airflow_logs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sqlalchemy import URL, Connection, Row

    from pipelines.ops.traces.sought import Sought
    from pipelines.settings import Settings

DAGS = ("retrain", "drift", "rollback", "prove", "replay")
"""The kinds of a model's DAGs: their names begin so."""
ENDED = ("success", "failed")
"""The states of a run of Airflow that is over."""
MODEL = "model"
"""The folder of a run's artifacts in which its fitted model lies."""
GONE = b"[a line that named an erased person]"


def clean_outside(settings: Settings, model: str, sought: Sequence[Sought]) -> int:
    """Take the people out of what MLflow and Airflow keep of the model's runs.

    Return how many artifacts, texts and results went, and how many logs lost lines. What cannot be
    reached stays as it is: the search names it.
    """
    return (
        _drop_artifacts(settings, model, sought)
        + erase_texts(settings, model, sought)
        + _blot_logs(settings, model, sought)
        + _drop_results(settings, model, sought)
    )


def _drop_artifacts(settings: Settings, model: str, sought: Sequence[Sought]) -> int:
    """Remove the artifacts of the model's runs that name the people, but no fitted model."""
    gone = 0
    # Without a server each model has a folder of its name, with one of its experiment's number.
    for name in (model, find_experiment(settings, model)):
        folder = settings.mlflow_artifacts / name if name else None
        for path in files_below(folder) if folder else ():
            if MODEL in path.relative_to(settings.mlflow_artifacts).parts[1:]:
                continue
            if not path.is_symlink() and file_holds(path, sought):
                path.unlink(missing_ok=True)
                gone += 1
    return gone


def _blot_logs(settings: Settings, model: str, sought: Sequence[Sought]) -> int:
    """Write over each line of the model's logs that names the people, in its place and length, so
    that a task may go on writing.
    """
    changed = 0
    for kind in DAGS:
        for path in files_below(airflow_logs(settings) / f"dag_id={kind}_{model}"):
            if not path.is_symlink() and file_holds(path, sought):
                changed += _blot(path, sought)
    return changed


def _blot(path: Path, sought: Sequence[Sought]) -> bool:
    changed = False
    with path.open("r+b") as file:
        at = 0
        for line in file.read().splitlines(keepends=True):
            text = line.rstrip(b"\r\n")
            if holds(text, sought):
                file.seek(at)
                file.write(GONE[: len(text)].ljust(len(text)))
                changed = True
            at += len(line)
    return changed


def _drop_results(settings: Settings, model: str, sought: Sequence[Sought]) -> int:
    """Remove the results (XCom) of the model's tasks that name the people, of runs that are over.

    A database of another shape is left alone.
    """
    try:
        url = make_url(airflow_database(settings))
    except ArgumentError:
        return 0
    file = file_of(url)
    if file is not None and not file.is_file():
        return 0
    try:
        dropped = _drop_from(url, [f"{kind}_{model}" for kind in DAGS], sought)
    except (SQLAlchemyError, KeyError):
        return 0
    if dropped and file is not None:
        with contextlib.suppress(sqlite3.Error):
            compact(file, sought)
    return dropped


def _drop_from(url: URL, dags: list[str], sought: Sequence[Sought]) -> int:
    engine = create_engine(url, poolclass=NullPool)
    if url.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _overwrite)
    metadata, dropped = MetaData(), 0
    with engine.begin() as connection:
        try:
            results, runs = (
                Table(name, metadata, autoload_with=connection) for name in ("xcom", "dag_run")
            )
        except NoSuchTableError:
            return 0
        over = (
            select(results)
            .join(
                runs,
                (runs.c["dag_id"] == results.c["dag_id"])
                & (runs.c["run_id"] == results.c["run_id"]),
            )
            .where(results.c["dag_id"].in_(dags), runs.c["state"].in_(ENDED))
        )
        for row in connection.execute(over).all():
            if _result_holds(row, sought):
                dropped += _delete(connection, results, row)
    return dropped


def _result_holds(row: Row[Any], sought: Sequence[Sought]) -> bool:
    value = row._mapping["value"]  # noqa: SLF001 -- SQLAlchemy's documented way
    if isinstance(value, str):  # JSON within JSON
        with contextlib.suppress(ValueError):
            value = json.loads(value)
    return cell_holds("value", value, sought) is True


def _delete(connection: Connection, table: Table, row: Row[Any]) -> int:
    key = [c == row._mapping[c.name] for c in table.primary_key]  # noqa: SLF001
    return connection.execute(delete(table).where(*key)).rowcount if key else 0


def _overwrite(connection: sqlite3.Connection, _: object) -> None:
    """Let SQLite write over what is deleted."""
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute(f"PRAGMA busy_timeout = {SECONDS * 1_000}")
