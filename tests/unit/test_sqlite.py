"""SQLite's errors: damage is told from a database that is in use, full or away."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
import sqlalchemy
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from pipelines.errors import Corrupted, Unreachable
from pipelines.registry.failures import mlflow_border
from pipelines.sqlite import damage, fault


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "a b?c#d%41.db"
    with closing(sqlite3.connect(file)) as database:
        database.executescript(
            "CREATE TABLE t (x TEXT UNIQUE); INSERT INTO t VALUES (hex(randomblob(9000))), ('b');"
        )
    return file


def error_of(file, statement, *, timeout=0.05):
    with (
        pytest.raises(sqlite3.Error) as raised,
        closing(sqlite3.connect(file, timeout=timeout)) as database,
    ):
        database.execute(statement).fetchall()
    return raised.value


def test_a_database_in_use_is_busy(file):
    with closing(sqlite3.connect(file)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert fault(error_of(file, "SELECT * FROM t")) == "busy"


def test_a_missing_table_and_a_text_that_is_none_are_damage(file):
    assert fault(error_of(file, "SELECT * FROM entries")) == "damaged"
    assert fault(error_of(file, "SELECT CAST(x'ff' AS TEXT)")) == "damaged"


def test_a_file_that_cannot_be_opened_is_away(tmp_path):
    assert fault(error_of(tmp_path / "no" / "such.db", "SELECT 1")) == "away"


def ask(file, statement):
    """Ask by SQLAlchemy, and raise what MLflow makes of an error."""
    engine = sqlalchemy.create_engine(
        sqlalchemy.URL.create("sqlite", database=str(file)), connect_args={"timeout": 0.05}
    )
    try:
        with engine.connect() as connection:
            connection.execute(sqlalchemy.text(statement))
    except SQLAlchemyError as error:
        raise MlflowException(str(error)) from error


def test_an_error_is_found_within_what_libraries_make_of_it(file):
    file.write_bytes(b"no database" * 1_000)
    with pytest.raises(MlflowException) as raised:
        ask(file, "SELECT * FROM t")
    assert fault(raised.value) == "damaged"
    assert fault(ValueError("of something else")) is None


def test_a_sound_file_is_told_from_a_damaged_one(file):
    assert damage(file) == ""
    whole = file.read_bytes()
    for data, words in (
        (b"", "empty"),
        (b"x" * 5_000, "no SQLite database"),
        (whole[:5_000], "malformed"),
    ):
        file.write_bytes(data)
        assert words in damage(file)
    file.write_bytes(whole[:4_096] + b"\xff" * 4_096 + whole[8_192:])
    assert damage(file)


@pytest.mark.parametrize(
    ("kind", "named"),
    [
        ("damaged", Corrupted),
        ("busy", Unreachable),
        ("away", Unreachable),
        ("conflict", Unreachable),
    ],
)
def test_mlflows_errors_follow(file, tmp_path, kind, named):
    if kind == "damaged":
        file.write_bytes(b"no database" * 1_000)
    place = tmp_path / "no" / "such.db" if kind == "away" else file
    statement = "INSERT INTO t VALUES ('b')" if kind == "conflict" else "SELECT * FROM t"
    with closing(sqlite3.connect(file)) as other:
        if kind == "busy":
            other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(named), mlflow_border("MLflow"):
            ask(place, statement)
