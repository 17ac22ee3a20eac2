"""What MLflow and Airflow show of a person goes with the person's rows, or is named as left."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest
from sqlalchemy import create_engine, text

from pipelines.ops.erasure.advice import advise
from pipelines.ops.erasure.erase import erase
from pipelines.ops.erasure.outside import GONE
from pipelines.ops.traces.outside import in_tables, outer_databases
from pipelines.ops.traces.search import search, sought_of
from pipelines.ops.traces.sought import Sought
from tests.unit.ops.people import NOW, OTHER, PERSON, copied

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value will soon raise:DeprecationWarning")

XCOM = (
    "create table xcom (dag_run_id integer, task_id text, map_index integer, key text, dag_id text,"
    " run_id text, value json, primary key (dag_run_id, task_id, map_index, key))"
)
RUNS = "create table dag_run (id integer primary key, dag_id text, run_id text, state text)"


@pytest.fixture(params=["inside", "outside"])
def context(lived, tmp_path, monkeypatch, request):
    """A state, with MLflow's and Airflow's folders in it (embedded) or beside it (composed)."""
    found = copied(lived[0], tmp_path)
    state = found.settings.state
    there = state if request.param == "inside" else tmp_path / "volumes"
    settings = found.settings.model_copy(
        update={
            "mlflow_artifacts": there / "mlflow" / "artifacts",
            "mlflow_database": f"sqlite:///{there / 'mlflow' / 'mlflow.db'}",
        }
    )
    (there / "airflow").mkdir(parents=True)
    monkeypatch.setenv("AIRFLOW__LOGGING__BASE_LOG_FOLDER", str(there / "airflow" / "logs"))
    address = f"sqlite:///{there / 'airflow' / 'airflow.db'}"
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", address)
    return replace(found, settings=settings)


def there(context):
    return context.settings.mlflow_artifacts.parents[1]


def traces(context, value=PERSON):
    found = search(context.settings, context.ports, [sought_of(context.settings, [value])])
    return [t.name for t in found.traces if t.place in {"state", "mlflow", "airflow"}]


def put(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def airflow(context, *results):
    """Make Airflow's database of results: (id, DAG, state of its run, value)."""
    file = there(context) / "airflow" / "airflow.db"
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute(XCOM)
        database.execute(RUNS)
        for number, dag, state, value in results:
            run = (number, dag, f"run {number}", state)
            database.execute("insert into dag_run values (?, ?, ?, ?)", run)
            row = (number, "gate", -1, "r", dag, f"run {number}", json.dumps(value))
            database.execute("insert into xcom values (?, ?, ?, ?, ?, ?, ?)", row)
        database.commit()
    return file


def results_of(file):
    with closing(sqlite3.connect(file)) as database:
        return [row[0] for row in database.execute("select dag_run_id from xcom order by 1")]


def test_artifacts_that_show_the_person_go_and_those_of_others_stay(context):
    folder = context.settings.mlflow_artifacts / "sales" / "a1b2" / "artifacts"
    card = put(folder / "card" / "card.html", f"<td>{PERSON}</td>".encode())
    table = put(folder / "table.json", json.dumps({"rows": [[PERSON, 1]]}).encode())
    plot = put(folder / "plots" / "roc.svg", f"<svg>{OTHER}</svg>".encode())
    assert len(traces(context)) == 2
    done = erase(context, [PERSON], None, NOW)
    assert done.left == []
    assert traces(context) == []
    assert [path.exists() for path in (card, table, plot)] == [False, False, True]


def test_a_fitted_model_and_what_another_model_has_stay_and_are_named(context):
    artifacts = context.settings.mlflow_artifacts
    model = put(artifacts / "sales" / "a1" / "artifacts" / "model" / "model.skops", PERSON.encode())
    other = put(artifacts / "other" / "b1" / "artifacts" / "card.md", PERSON.encode())
    done = erase(context, [PERSON], None, NOW)
    assert model.exists()
    assert other.exists()
    assert len(done.left) == 2
    assert all(path.relative_to(artifacts).as_posix() in str(done.left) for path in (model, other))
    assert "delete the run" in " ".join(advise(done.left))


def test_a_line_of_a_log_is_written_over_in_its_place(context):
    logs = there(context) / "airflow" / "logs"
    lines = [b'{"event": "begins"}', f'{{"event": "slice visit = {PERSON}"}}'.encode(), b"ends"]
    path = put(logs / "dag_id=retrain_sales" / "run_id=x" / "attempt=1.log", b"\n".join(lines))
    put(logs / "dag_id=retrain_other" / "run_id=x" / "attempt=1.log", PERSON.encode())
    with path.open("ab") as writer:  # a task goes on writing
        done = erase(context, [PERSON], None, NOW)
        writer.write(b"\nand goes on")
    assert path.read_bytes().split(b"\n") == [
        lines[0],
        GONE.ljust(len(lines[1]))[: len(lines[1])],
        b"ends",
        b"and goes on",
    ]
    (left,) = done.left
    assert "dag_id=retrain_other" in left


def test_results_of_tasks_go_where_their_run_is_over_and_nothing_of_them_is_in_the_file(context):
    verdict = {"reasons": [f"slice visit = {PERSON} is worse"]}
    file = airflow(
        context,
        (1, "retrain_sales", "success", verdict),
        (2, "drift_sales", "failed", json.dumps({"window": PERSON})),
        (3, "retrain_sales", "success", {"reasons": [OTHER]}),
    )
    assert traces(context)
    done = erase(context, [PERSON], None, NOW)
    assert done.left == []
    assert results_of(file) == [3]
    wal = file.with_name(file.name + "-wal")
    assert PERSON.encode() not in file.read_bytes()
    assert not wal.exists() or PERSON.encode() not in wal.read_bytes()


def test_a_result_that_a_run_may_still_ask_for_stays_until_it_is_over(context):
    running = (1, "retrain_sales", "running", {"reasons": [PERSON]})
    other = (2, "retrain_other", "success", {"reasons": [OTHER]})
    file = airflow(context, running, other)
    done = erase(context, [PERSON], None, NOW)
    assert results_of(file) == [1, 2]
    assert "airflow.db" in " ".join(done.left)
    with closing(sqlite3.connect(file)) as database:
        database.execute("update dag_run set state = 'failed'")
        database.commit()
    again = erase(context, [PERSON], None, NOW)
    assert (again.again, again.objects, again.left) == (True, 1, [])
    assert results_of(file) == [2]


def test_a_database_of_another_shape_is_left_alone_and_looked_at(context):
    file = there(context) / "airflow" / "airflow.db"
    with closing(sqlite3.connect(file)) as database:
        database.execute("create table xcom (value text)")
        database.execute("insert into xcom values (?)", (PERSON,))
        database.commit()
    done = erase(context, [PERSON], None, NOW)
    assert "airflow.db" in " ".join(done.left)


def test_what_does_not_answer_is_named_without_its_password(context, monkeypatch):
    address = "postgresql+psycopg2://airflow:geheim@127.0.0.1:1/airflow"
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", address)
    found = search(context.settings, context.ports, [sought_of(context.settings, ["nobody"])])
    (said,) = [words for words in found.unseen if "airflow's database" in words]
    assert "127.0.0.1" in said
    assert "geheim" not in said
    erase(context, [PERSON], None, NOW)


def test_a_server_whose_database_is_nowhere_told_is_named(context):
    settings = context.settings.model_validate(
        {"state": context.settings.state, "mlflow_uri": "http://mlflow:5000"}
    )
    known, unseen = outer_databases(settings)
    assert "mlflow" not in known
    assert "PERENNIAL_MLFLOW_DATABASE" in unseen[0]


def test_backups_and_the_source_are_the_owners_to_clean():
    assert [line.split()[0] for line in advise([])] == ["Backups,", "The"]
    assert len(advise(["objects: a", "objects: b", "airflow: c"])) == 4


def test_the_tables_of_a_servers_database_are_looked_at_cell_by_cell():
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        for name, kind in (("texts", "text"), ("jsons", "json"), ("numbers", "integer")):
            connection.execute(text(f"create table {name} (id integer, who {kind})"))
        connection.execute(text("insert into texts values (1, 'slice visit = c-4711 is worse')"))
        connection.execute(text("""insert into jsons values (2, '{"who": 4711}')"""))
        connection.execute(text("insert into numbers values (4711, 4711)"))

    def found(value, *columns):
        sought = [Sought(frozenset({value}), frozenset(columns))]
        return [name for name, is_there in in_tables(engine, sought) if is_there]

    assert found("c-4711") == ["table texts"]
    assert found("4711", "who") == ["table jsons"]
    assert found("c-471") == []
    engine.dispose()
