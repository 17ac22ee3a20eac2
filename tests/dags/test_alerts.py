"""The DAG `alerts`: there where routes are set, and what its task does and fails by."""

from __future__ import annotations

from datetime import timedelta

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from perennial_airflow.alerts_operator import TellPeople
from perennial_airflow.dags.alerts import alerts

from pipelines.incidents import note_outcome
from pipelines.ledger import Outcome
from pipelines.ports import ConfiguredPorts
from pipelines.settings import load_settings
from tests.dags.specs import write_models
from tests.unit.alerts.worlds import SECRET, MemoryPost

ROUTES = f"routes: {{ops: {{to: 'json://me:{SECRET}@127.0.0.1/'}}}}"


@pytest.fixture
def file(tmp_path, monkeypatch):
    path = tmp_path / "alerts.yaml"
    path.write_text(ROUTES)
    path.chmod(0o600)
    monkeypatch.setenv("PERENNIAL_HOME", str(write_models(tmp_path, "demo")))
    monkeypatch.setenv("PERENNIAL_STATE", str(tmp_path / "var"))
    monkeypatch.setenv("PERENNIAL_ALERTS", "alerts.yaml")
    return path


@pytest.fixture
def ledger(file):
    return ConfiguredPorts(load_settings()).ledger


def fail(ledger):
    outcome = Outcome(outcome="failed", version="", reasons=["no disk"])
    note_outcome(ledger, "demo", ledger.append("demo", "r1", outcome))


def test_there_is_none_without_routes(file, monkeypatch):
    monkeypatch.delenv("PERENNIAL_ALERTS")
    assert alerts() == {}


def test_it_runs_every_five_minutes_one_at_a_time_and_never_catches_up(file):
    (dag,) = alerts().values()
    assert dag.dag_id == "alerts"
    assert dag.schedule.expression == "*/5 * * * *"
    assert (dag.catchup, dag.max_active_runs, dag.is_paused_upon_creation) == (False, 1, False)
    (task,) = dag.tasks
    assert task.retries == 0
    assert timedelta(0) < task.execution_timeout < timedelta(hours=1)
    assert "perennial alert --test" in dag.doc_md


def test_its_making_reads_no_secret(file):
    file.chmod(0o644)
    assert list(alerts()) == ["alerts"]


def test_the_task_tells_and_says_how_many(file, ledger):
    post = MemoryPost()
    task = TellPeople(task_id="tell", post=post)
    assert task.execute({}) == {"told": 0, "left": 0}
    fail(ledger)
    assert task.execute({}) == {"told": 1, "left": 0}
    assert task.execute({}) == {"told": 0, "left": 0}
    assert post.titles == ["[demo] a retraining failed"]


def test_the_task_fails_where_a_service_is_away_and_shows_no_address(file, ledger, caplog):
    caplog.set_level("DEBUG")
    post = MemoryPost(away={f"json://me:{SECRET}@127.0.0.1/"})
    task = TellPeople(task_id="tell", post=post)
    task.execute({})
    fail(ledger)
    with pytest.raises(AirflowException, match="ops: the service could not be reached") as failed:
        task.execute({})
    assert "Remedy: " in str(failed.value)
    assert SECRET not in str(failed.value) + caplog.text
    post.away = set()
    assert task.execute({}) == {"told": 1, "left": 0}


def test_the_task_gives_up_where_the_file_is_no_good(file):
    file.chmod(0o644)
    with pytest.raises(AirflowFailException, match="may be read by others"):
        TellPeople(task_id="tell").execute({})
