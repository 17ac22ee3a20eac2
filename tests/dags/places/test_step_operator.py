"""The operator: what a step is asked, what its exit code means, when it is skipped."""

from __future__ import annotations

import contextlib
import io
from datetime import UTC, datetime

from perennial_airflow.places.process import Process
from perennial_airflow.places.step_operator import StepOperator

from pipelines.ports import ConfiguredPorts
from pipelines.settings import load_settings
from tests.dags.places.operators import ECHO, dag_run, execute
from tests.decisions import gate_verdict

HOSTILE = {
    "name": "x; id > f",
    "as_of": "{{ 7 * 7 }}",
    "reason": "$(id) `id` \x00 \ud83d 'quoted' \"twice\"",
    "deep": [{"a": None}],
}


class Pushes:
    """A task instance that remembers what was pushed."""

    def __init__(self) -> None:
        self.xcoms: dict[str, object] = {}

    def xcom_push(self, key: str, value: object) -> None:
        self.xcoms[key] = value


def test_ingest_gets_the_run_its_moment_and_the_conf_as_plain_data(command):
    result = execute(command(ECHO), "ingest", run=dag_run(HOSTILE))
    assert result == {
        "model": "demo",
        "request": {"run": "by hand 1", "now": "2024-05-01T12:00:00Z", "conf": HOSTILE},
    }


def test_rollback_gets_the_conf_too():
    task = StepOperator(task_id="rollback", step="rollback", model="demo")
    assert task._request({"run_id": "r", "dag_run": dag_run(HOSTILE)}) == {
        "run": "r",
        "now": "2024-05-01T12:00:00Z",
        "conf": HOSTILE,
    }


def test_ingest_is_told_its_purpose(command):
    result = execute(command(ECHO), "ingest", request={"purpose": "drift"})
    assert result["request"] == {
        "run": "by hand 1",
        "purpose": "drift",
        "now": "2024-05-01T12:00:00Z",
        "conf": {},
    }


def test_what_a_trigger_sends_cannot_change_the_purpose(command):
    asked = execute(
        command(ECHO),
        "ingest",
        run=dag_run({"purpose": "retrain", "run": "x"}),
        request={"purpose": "drift"},
    )["request"]
    assert (asked["purpose"], asked["run"]) == ("drift", "by hand 1")


REFUSED = {
    "verdict": "refuse",
    "reasons": ["too weak"],
    "checks": [{"name": "floor", "passed": False, "detail": "too weak"}],
    "candidate": "linear",
    "run_id": "",
    "version": "",
    "metrics": {},
    "champion": None,
}


def test_a_verdict_is_pushed_in_words_beside_the_result(command):
    ti = Pushes()
    answer = f"record({REFUSED!r})"
    task = StepOperator(task_id="gate", step="gate", model="demo", place=Process(command(answer)))
    assert task.execute({"run_id": "r", "dag_run": dag_run(), "ti": ti})["verdict"] == "refuse"
    assert ti.xcoms == {"verdict": "Verdict on linear: REFUSE | FAIL floor: too weak"}


def test_a_result_of_another_version_stands_although_its_verdict_has_no_words(command):
    ti = Pushes()
    answer = command("record({'verdict': 'refuse', 'more': 1})")
    task = StepOperator(task_id="gate", step="gate", model="demo", place=Process(answer))
    result = task.execute({"run_id": "r", "dag_run": dag_run(), "ti": ti})
    assert result == {"verdict": "refuse", "more": 1}
    assert ti.xcoms == {}


def test_the_log_of_a_gate_task_holds_its_verdict_once(world, monkeypatch):
    """The real step, in a process of its own, finds the run's verdict in the ledger."""
    monkeypatch.setenv("PERENNIAL_HOME", str(world.home))
    monkeypatch.setenv("PERENNIAL_STATE", str(world.home / "var"))
    ports = ConfiguredPorts(load_settings())
    nothing = {"uri": "objects/00/nothing.json", "sha256": "0" * 64}
    features = {
        "version": {"revision": "1", "sha256": "0" * 64},
        "plan": nothing,
        "as_of": "2024-01-05T00:00:00Z",
        "reason": "",
        "force": False,
        "rebuilt": 0,
        "reused": 0,
        "rows": 0,
        "parent_run": "",
    }
    ports.ledger.append("sales", "r", gate_verdict(**REFUSED))
    task = StepOperator(
        task_id="gate", step="gate", model="sales", request={"features": features, "train": []}
    )
    ti, log = Pushes(), io.StringIO()
    with contextlib.redirect_stdout(log):
        task.execute({"run_id": "r", "dag_run": dag_run(), "ti": ti})
    assert log.getvalue().count("Verdict on linear: REFUSE") == 1, log.getvalue()
    assert log.getvalue().count("FAIL floor: too weak") == 1
    assert ti.xcoms == {"verdict": "Verdict on linear: REFUSE | FAIL floor: too weak"}


def test_a_conf_that_is_not_there_is_empty(command):
    assert execute(command(ECHO), "ingest")["request"]["conf"] == {}


def test_a_scheduled_run_was_asked_for_at_the_end_of_its_interval(command):
    end = datetime(2024, 4, 1, tzinfo=UTC)
    assert (
        execute(command(ECHO), "ingest", run=dag_run(kind="scheduled", end=end))["request"]["now"]
        == "2024-04-01T00:00:00Z"
    )
    assert (
        execute(command(ECHO), "ingest", run=dag_run(kind="manual", end=end))["request"]["now"]
        == "2024-05-01T12:00:00Z"
    )


def test_every_other_step_gets_results_by_field_and_never_the_conf(command):
    fields = {"features": {"plan": 1}, "train": [{"candidate": "a"}], "gate": None}
    result = execute(command(ECHO), "close", run=dag_run(HOSTILE), request=fields)
    assert result["request"] == {
        "run": "by hand 1",
        "features": {"plan": 1},
        "train": [{"candidate": "a"}],
    }


def test_a_mapped_task_gets_its_candidate(command):
    assert (
        execute(command(ECHO), "train", request={"features": {}}, candidate="linear")["request"][
            "candidate"
        ]
        == "linear"
    )


def test_a_mapped_task_gets_its_part_beside_what_a_trigger_sent(command):
    part = {"name": "{{ 7 * 7 }}", "start": "2024-01-03T00:00:00Z"}
    asked = execute(command(ECHO), "prepare_replay", run=dag_run({"part": "mine"}), part=part)[
        "request"
    ]
    assert (asked["part"], asked["conf"]) == (part, {"part": "mine"})


def test_a_task_gives_the_list_that_others_are_mapped_over(command):
    parts = [{"name": "a"}, {"name": "b"}]
    answer = f"record({{'batches': 2, 'parts': {parts!r}}})"
    assert execute(command(answer), "plan_replay", gives="parts") == parts


def test_no_field_is_a_template():
    assert tuple(StepOperator.template_fields) == ()
