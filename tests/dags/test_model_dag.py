"""What all DAGs of a model share: made once where they can be, and taken by Airflow as its own."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from airflow.sdk import DAG, CronTriggerTimetable
from airflow.sdk.definitions.param import ParamsDict
from airflow.serialization.serialized_objects import DagSerialization
from airflow.timetables.base import TimeRestriction
from jsonschema import Draft7Validator
from perennial_airflow import before_fork
from perennial_airflow.dags import all_models, drift, prove, replay, retrain, rollback
from perennial_airflow.dags.model_dag import FIRST_RUN_GRACE, model_dag

from pipelines.spec import parse_spec
from tests.dags.specs import make_spec

ROOT = Path(__file__).resolve().parents[2]
KINDS = {m.__name__.rsplit(".", 1)[-1]: m.PARAMS for m in (drift, prove, replay, retrain, rollback)}


def made(name: str, schedule: str | None, params=None) -> DAG:
    with model_dag(
        make_spec(name), "retrain", schedule=schedule, params=params or {}, doc=""
    ) as dag:
        return dag


@pytest.mark.parametrize("kind", KINDS)
def test_the_params_of_each_dag_are_sound_for_airflow_is_not_asked_to_check_them(kind):
    for param in KINDS[kind].values():
        Draft7Validator.check_schema(param.schema)
    assert ParamsDict(dict(KINDS[kind])).validate() == {n: p.value for n, p in KINDS[kind].items()}


def test_a_dag_has_params_of_its_own():
    param = retrain.PARAMS["reason"]
    one, other = (made(name, None, {"reason": param}) for name in ("one", "other"))
    one.params["reason"] = "mine"
    assert (other.params["reason"], param.value) == ("by hand", "by hand")


def test_airflow_stores_a_dag_as_if_it_were_scheduled_by_the_class_for_dag_files():
    ours = made("demo", "daily")
    plain = CronTriggerTimetable("@daily", timezone="UTC", run_immediately=FIRST_RUN_GRACE)
    theirs = DAG("retrain_demo", schedule=plain, auto_register=False)
    unscheduled = DAG("retrain_demo", schedule=None, auto_register=False)
    for one, like in ((ours, theirs), (made("demo", None), unscheduled)):
        stored, expected = (DagSerialization.to_dict(dag)["dag"] for dag in (one, like))
        assert stored["timetable"] == expected["timetable"]


def test_the_model_that_is_nowhere_has_every_kind_of_dag():
    made, problems = all_models.model_dags(parse_spec(before_fork.SPEC, "none/model.yaml"))
    assert ([dag.dag_id.partition("_")[0] for dag in made], problems) == (
        list(all_models.KINDS),
        [],
    )


def test_what_airflow_configures_for_each_dag_is_as_if_it_had_been_asked():
    plain, ours = DAG("plain", schedule=None, auto_register=False), made("demo", None)
    for name in (
        "max_active_tasks",
        "max_consecutive_failed_dag_runs",
        "disable_bundle_versioning",
    ):
        assert getattr(ours, name) == getattr(plain, name), name


def test_dags_of_one_schedule_share_its_timetable():
    assert made("one", "daily").timetable is made("other", "daily").timetable
    assert made("one", "daily").timetable is not made("one", "hourly").timetable


@pytest.mark.parametrize(
    ("minutes", "years"),
    [
        (2, 0),  # parsed again before the scheduler had made its first run: it is not lost
        (7, 1),  # it came too late for that one
    ],
)
def test_a_first_run_outlives_a_parse_and_a_new_dag_does_not_run_for_what_is_long_over(
    minutes, years
):
    due = (datetime.now(UTC) - timedelta(minutes=minutes)).replace(second=0, microsecond=0)
    if (due.month, due.day) == (2, 29):
        pytest.skip("the day comes once in four years")
    once_a_year = made("one", f"{due:%M %H %d %m} *").timetable
    found = once_a_year.next_dagrun_info(
        last_automated_data_interval=None, restriction=TimeRestriction(None, None, catchup=False)
    )
    assert found is not None
    assert found.run_after == due.replace(year=due.year + years)


LOADS = """
import gc, sys
from perennial_airflow.before_fork import load_for_parses
name = "airflow.providers.standard.operators.trigger_dagrun"
before = name in sys.modules
load_for_parses()
print(before, name in sys.modules, gc.get_freeze_count() > 100_000)
"""


@pytest.mark.slow
def test_what_parses_need_is_loaded_and_out_of_the_collectors_sight_before_they_are_forked():
    done = subprocess.run(
        [sys.executable, "-c", LOADS],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'plugins'}"},
    )
    assert done.stdout.split()[-3:] == ["False", "True", "True"]
