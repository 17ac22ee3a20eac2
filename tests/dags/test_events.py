"""The asset events by which a user's own DAGs start."""

from __future__ import annotations

import pytest
from airflow.sdk import AssetAlias
from airflow.sdk.execution_time.context import OutletEventAccessors
from perennial_airflow.dags.drift import drift
from perennial_airflow.dags.retrain import retrain
from perennial_airflow.dags.rollback import rollback
from perennial_airflow.events import add_events, champion_asset, incidents_asset, outlets_of

from tests.dags.specs import make_spec

CROWNED = {"release": 4, "version": "7", "previous": "6"}


def outlets(dag):
    return {task.task_id: list(task.outlets) for task in dag.tasks if task.outlets}


def drift_result(verdict):
    return {"verdict": verdict, "window": {"start": "a", "end": "2024-01-04T00:00:00Z"}}


@pytest.fixture
def context():
    return {"run_id": "r1", "outlet_events": OutletEventAccessors()}


def test_an_asset_is_known_by_the_models_name():
    assert champion_asset("demo").uri == "perennial://demo/champion"
    assert incidents_asset("demo").uri == "perennial://demo/incidents"


def test_what_brings_another_champion_changes_its_asset_and_no_other_task_does():
    spec = make_spec("demo", drift="daily")
    assert outlets(retrain(spec)) == {"deploy": [champion_asset("demo")]}
    assert outlets(rollback(spec)) == {"rollback": [champion_asset("demo")]}
    assert outlets(drift(spec, spec.drift)) == {"drift": [AssetAlias(name="demo_drift")]}


@pytest.mark.parametrize("step", ["deploy", "rollback"])
def test_a_new_champion_is_an_event_that_names_it(context, step):
    add_events(context, step, "demo", CROWNED)
    event = context["outlet_events"][champion_asset("demo")]
    assert event.extra == {"model": "demo", "run": "r1", **CROWNED}


@pytest.mark.parametrize(("verdict", "events"), [("drift", 1), ("alarm", 1), ("no_drift", 0)])
def test_a_window_is_an_event_where_something_is_wrong_with_it(context, verdict, events):
    add_events(context, "drift", "demo", drift_result(verdict))
    (alias,) = outlets_of("drift", "demo")
    found = context["outlet_events"][alias].asset_alias_events
    assert len(found) == events
    for event in found:
        assert event.dest_asset_key.uri == "perennial://demo/incidents"
        assert (event.extra["verdict"], event.extra["run"]) == (verdict, "r1")
