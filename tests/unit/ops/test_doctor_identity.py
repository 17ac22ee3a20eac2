"""`doctor`: a ledger, a store or an MLflow that is damaged, older, or another system's."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest

from pipelines.errors import Corrupted, RequestError
from pipelines.ledger import Crown, Head, ReleaseIntent
from pipelines.ledger.anchors import FileAnchor
from pipelines.ledger.sql import SqlLedger
from pipelines.ops.backup.creation import backup
from pipelines.ops.doctor import champions
from pipelines.ops.prune.removal import prune
from pipelines.ports import ConfiguredPorts
from pipelines.settings import local_path
from tests.contracts.ledgers import an_older_ledger
from tests.decisions import gate_verdict
from tests.unit.ops.diagnoses import Steady, bad, break_mlflow, look
from tests.unit.ops.lived import age_all


def ledger_file(world):
    return world.settings.state / "ledger" / "ledger.db"


def without_journal(file):
    for name in ("-wal", "-shm", "-journal"):
        file.with_name(file.name + name).unlink(missing_ok=True)
    return file


def delete_ledger(world):
    without_journal(ledger_file(world)).unlink()


def make_ledger_anew(world):
    delete_ledger(world)
    SqlLedger(world.settings.ledger_url)


def keep_the_verdict_only(world):
    shutil.rmtree(local_path(world.settings.store) / "keys" / "releases")
    shutil.rmtree(local_path(world.settings.store) / "keys" / "served")
    make_ledger_anew(world)


def take_an_older_ledger(world):
    """Before the release was decided.

    As a backup holds it that was made while the first run was at work.
    """
    entries = world.context().ports.ledger.entries()
    delete_ledger(world)
    older = SqlLedger(world.settings.ledger_url)
    for entry in entries[: [e.kind for e in entries].index("release")]:
        older.append(entry.model, entry.key, entry.decision)


def take_a_foreign_ledger(world):
    """Another installation of the same model: the same names and numbers, other bundles."""
    entries = world.context().ports.ledger.entries()
    delete_ledger(world)
    foreign = SqlLedger(world.settings.ledger_url)
    for entry in entries:
        decision = entry.decision
        if isinstance(decision, Crown | ReleaseIntent):
            other = decision.bundle.model_copy(update={"sha256": "ab" * 32})
            decision = decision.model_copy(update={"bundle": other})
        foreign.append(entry.model, entry.key, decision)


def take_a_foreign_mlflow(world):
    file = world.settings.state / "mlflow" / "mlflow.db"
    with closing(sqlite3.connect(file)) as database:
        database.execute("UPDATE model_versions SET run_id = 'ab'")
        database.commit()


def empty_mlflow(world):
    file = world.settings.state / "mlflow" / "mlflow.db"
    with closing(sqlite3.connect(file)) as database:
        database.execute("DELETE FROM registered_model_aliases")
        database.execute("DELETE FROM model_version_tags")
        database.execute("DELETE FROM model_versions")
        database.commit()


@pytest.mark.parametrize(
    ("break_it", "what", "words"),
    [
        pytest.param(
            delete_ledger, "store and ledger", "ledger has no entry", id="a ledger that was deleted"
        ),
        pytest.param(
            make_ledger_anew,
            "store and ledger",
            "ledger has no entry",
            id="a ledger that was made anew",
        ),
        pytest.param(
            keep_the_verdict_only,
            "store and ledger",
            "verdict/first/000001, which a decision made",
            id="an emptied ledger, nothing released",
        ),
        pytest.param(
            make_ledger_anew,
            "MLflow and ledger",
            "the ledger has judged none",
            id="an emptied ledger and MLflow",
        ),
        pytest.param(
            take_an_older_ledger,
            "store and ledger",
            "of which the ledger knows nothing",
            id="an older ledger",
        ),
        pytest.param(
            take_a_foreign_ledger,
            "store and ledger",
            "another system's",
            id="another installation's ledger",
        ),
        pytest.param(
            take_a_foreign_mlflow,
            "MLflow and ledger",
            "another system's",
            id="another installation's MLflow",
        ),
        pytest.param(
            empty_mlflow,
            "MLflow and ledger",
            "MLflow has no version of sales",
            id="an emptied MLflow",
        ),
        pytest.param(
            lambda w: shutil.rmtree(local_path(w.settings.store)),
            "sales: bundle",
            "no object",
            id="an emptied store",
        ),
        pytest.param(
            lambda w: without_journal(ledger_file(w)).write_bytes(b""),
            "ledger",
            "is empty",
            id="an emptied file",
        ),
    ],
)
def test_a_ledger_store_or_mlflow_of_another_time_or_system_is_a_problem(
    restored_state, break_it, what, words
):
    break_it(restored_state)
    found = [
        f for f in look(restored_state, server=Steady()) if f.what == what and f.state == "problem"
    ]
    assert any(words in f.said and f.remedy for f in found), found


@pytest.mark.parametrize(
    "break_it", [delete_ledger, make_ledger_anew, take_an_older_ledger, take_a_foreign_ledger]
)
def test_prune_takes_nothing_away_by_a_ledger_that_is_not_the_stores(restored_state, break_it):
    break_it(restored_state)
    age_all(restored_state)
    with pytest.raises(RequestError, match="nothing was removed"):
        prune(restored_state.settings, restored_state.context().ports, timedelta(days=1))


@pytest.mark.parametrize("name", ["ledger", "mlflow", "airflow"])
@pytest.mark.parametrize("kind", ["empty", "text", "header", "cut"])
def test_a_damaged_database_is_named_as_damaged(world, name, kind):
    file = world.settings.state / name / f"{name}.db"
    file.parent.mkdir(parents=True)
    with closing(sqlite3.connect(file)) as database:
        database.executescript(
            "CREATE TABLE t (x); INSERT INTO t SELECT randomblob(9000); INSERT INTO t SELECT"
            " randomblob(9000);"
        )
    whole = file.read_bytes()
    damaged = {
        "empty": b"",
        "text": b"nothing at all",
        "header": b"X" + whole[1:],
        "cut": whole[:9_000],
    }
    file.write_bytes(damaged[kind])
    found = bad(look(world))
    assert found[f"{name}'s database"].state == "problem"
    assert "is damaged" in found[f"{name}'s database"].said
    with pytest.raises(Corrupted):
        backup(world.settings, world.home.parent / "backup.tar", str)
    assert file.read_bytes() == damaged[kind]


def test_a_missing_database_of_mlflow_is_not_made_anew(restored_state):
    break_mlflow(restored_state)
    look(restored_state)
    assert not (restored_state.settings.state / "mlflow" / "mlflow.db").exists()


def test_an_older_schema_is_a_warning_and_stays(world):
    (world.settings.state / "ledger").mkdir(parents=True)
    an_older_ledger(world.settings.ledger_url, "0001", entries=3)
    found = bad(look(world))
    assert list(found) == ["ledger's schema"]
    assert found["ledger's schema"].state == "warning"
    assert list(bad(look(world))) == ["ledger's schema"]


def test_the_anchor_is_looked_at(world, tmp_path):
    def said(anchor):
        settings = world.settings.replace(ledger_anchor=anchor)
        return [
            (f.state, f.said) for f in champions.check_anchor(settings, ConfiguredPorts(settings))
        ]

    assert "would not be seen" in said(None)[0][1]
    assert said(f"file://{tmp_path}/anchor") == [("ok", "set; nothing was decided yet")]
    ledger = SqlLedger(world.settings.ledger_url)
    first = [ledger.append("sales", f"run{n}", gate_verdict()) for n in range(4)][1]
    assert said(f"file://{tmp_path}/anchor")[0][0] == "warning"
    FileAnchor(tmp_path / "anchor").write(Head(seq=first.seq, hash=first.hash))
    ((state, words),) = said(f"file://{tmp_path}/anchor")
    assert (state, "2 entries behind, at 2 of 4" in words) == ("warning", True)
    inside = world.settings.state / "anchor"
    FileAnchor(inside).write(Head(seq=4, hash=ledger.at(4).hash))
    assert [state for state, _ in said(f"file://{inside}")] == ["ok", "warning"]
