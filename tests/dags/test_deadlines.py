"""The deadline of a drift run, where people are told of anything."""

from __future__ import annotations

from datetime import timedelta

import pytest
from airflow.sdk import DeadlineReference
from perennial_airflow.dags.drift import drift
from perennial_airflow.deadlines import tell_people

from pipelines.incidents import note_outcome
from pipelines.ledger import Outcome
from pipelines.ports import ConfiguredPorts
from pipelines.settings import load_settings
from tests.dags.specs import make_spec, write_models
from tests.unit.alerts.receivers import webhook


def drift_dag():
    spec = make_spec("demo", drift="daily")
    return drift(spec, spec.drift)


def test_without_routes_there_is_none(monkeypatch):
    monkeypatch.delenv("PERENNIAL_ALERTS", raising=False)
    assert not drift_dag().deadline


def test_a_run_has_as_long_as_its_check_by_the_ledger(monkeypatch):
    monkeypatch.setenv("PERENNIAL_ALERTS", "alerts.yaml")
    (deadline,) = drift_dag().deadline
    assert deadline.reference == DeadlineReference.DAGRUN_LOGICAL_DATE, (
        "a task of a run with a deadline by its queue cannot be cleared"
    )
    assert deadline.interval == timedelta(hours=6, minutes=1)
    assert deadline.callback.path == "perennial_airflow.deadlines.tell_people"


@pytest.mark.slow
def test_when_it_is_missed_people_are_told(monkeypatch, tmp_path):
    with webhook() as received:
        file = tmp_path / "alerts.yaml"
        file.write_text(f"routes: {{ops: {{to: 'json://127.0.0.1:{received.port}/'}}}}")
        file.chmod(0o600)
        monkeypatch.setenv("PERENNIAL_HOME", str(write_models(tmp_path, "demo")))
        monkeypatch.setenv("PERENNIAL_STATE", str(tmp_path / "var"))
        monkeypatch.setenv("PERENNIAL_ALERTS", "alerts.yaml")
        context = {"dag_run": {"dag_id": "drift_demo", "dag_run_id": "r1"}}
        tell_people(context=context)
        ledger = ConfiguredPorts(load_settings()).ledger
        outcome = Outcome(outcome="failed", version="", reasons=["no disk"])
        note_outcome(ledger, "demo", ledger.append("demo", "r1", outcome))
        tell_people(context=context)
        tell_people()
    assert received.titles == ["[demo] a retraining failed"]
