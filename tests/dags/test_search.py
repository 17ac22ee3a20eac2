"""The helpers of searches in the retrain DAG: how many, where they wait, what their failure is."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException
from perennial_airflow.dags.retrain import retrain
from perennial_airflow.places.process import Process
from perennial_airflow.places.step_operator import StepOperator

from pipelines import messages
from pipelines.spec import parse_spec
from tests.dags.places.operators import ECHO, dag_run
from tests.dags.specs import spec_text

SEARCHED = """\
  - name: boosted
    estimator: sklearn.ensemble.HistGradientBoostingClassifier
    search: {learning_rate: [0.05, 0.1, 0.2]}
"""


def dag_of(more: str = "search: {parallel: 3}\n"):
    text = spec_text("demo")
    text = text.replace("gate:", f"{SEARCHED}gate:")
    text = text.replace(
        "LogisticRegression}", "LogisticRegression, search: {C: [0.1, 1.0]}, method: grid}"
    )
    return retrain(parse_spec((text + more).encode(), "models/demo/model.yaml"))


def test_without_a_word_there_are_no_helpers():
    dag = dag_of("")
    assert "search" not in dag.task_ids
    assert "`search`" not in dag.doc_md


def test_each_candidate_has_a_helper_for_each_trial_at_once_but_its_own():
    dag = dag_of()
    helpers = dag.get_task("search")
    assert helpers.expand_input.value == {
        "part": [
            {"candidate": "linear", "worker": 1},
            {"candidate": "boosted", "worker": 1},
            {"candidate": "boosted", "worker": 2},
        ]
    }
    assert helpers.partial_kwargs["map_index_template"] == (
        "{{ task.part.candidate }} {{ task.part.worker }}"
    )
    assert "| `search` | helps the searches of `train`: 3 tasks" in dag.doc_md


def test_training_waits_for_no_helper_and_nothing_comes_after_one():
    helpers = dag_of().get_task("search")
    assert helpers.upstream_task_ids == {"features"}
    assert helpers.downstream_task_ids == set()


def test_its_request_has_the_fields_that_the_step_knows():
    helpers = dag_of().get_task("search")
    part = helpers.expand_input.value["part"][0]
    assert {"run", *part, *helpers.partial_kwargs["request"]} == set(
        messages.SearchRequest.model_fields
    )


@pytest.mark.parametrize(
    ("resources", "queue"),
    [
        ("{queue: small}", "small"),
        ("{queue: small, queues: {train: large}}", "large"),
        ("{queues: {train: large, search: many}}", "many"),
    ],
)
def test_helpers_wait_where_training_does_unless_the_spec_says_otherwise(resources, queue):
    dag = dag_of(f"search: {{parallel: 2}}\nresources: {resources}\n")
    assert dag.get_task("search").partial_kwargs["queue"] == queue


def test_pools_are_shared_in_the_same_way(monkeypatch):
    monkeypatch.setenv("PERENNIAL_POOLS", "slow=2")
    dag = dag_of("search: {parallel: 2}\nresources: {pools: {train: slow}}\n")
    assert dag.get_task("search").partial_kwargs["pool"] == "slow"


def run(command, *, number, step="search"):
    part = {"candidate": "boosted", "worker": 2}
    task = StepOperator(
        task_id=step, step=step, model="demo", place=Process(command), request={}, part=part
    )
    instance = SimpleNamespace(try_number=number, max_tries=2)
    return task.execute({"run_id": "r", "dag_run": dag_run(), "ti": instance})


def test_a_helper_is_told_whom_it_helps(command):
    assert run(command(ECHO), number=1)["request"] == {
        "run": "r",
        "candidate": "boosted",
        "worker": 2,
    }


def test_a_helper_that_fails_is_tried_again_and_then_skipped(command):
    dies = command("sys.exit(1)")
    for number in (1, 2):
        with pytest.raises(AirflowException, match=r"search crashed \(exit 1\)"):
            run(dies, number=number)
    with pytest.raises(AirflowSkipException, match=r"search crashed \(exit 1\)"):
        run(dies, number=3)


def test_a_helper_that_gives_up_is_skipped_at_once(command):
    with pytest.raises(AirflowSkipException, match="gave up"):
        run(command("sys.exit(65)"), number=1)


def test_a_step_that_others_need_fails(command):
    with pytest.raises(AirflowFailException, match="gave up"):
        run(command("sys.exit(65)"), number=3, step="gate")
