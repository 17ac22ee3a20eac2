"""Which queue a model's tasks wait in, where workers take them from a broker."""

from __future__ import annotations

from typing import get_args

import pytest
from perennial_airflow import executors
from perennial_airflow.dags.retrain import retrain

from pipelines.errors import SpecError
from pipelines.spec import parse_spec
from pipelines.spec.resources import StepName
from pipelines.steps.catalogue import STEPS
from tests.dags.specs import spec_text


def spec_with(resources: str):
    text = spec_text("demo") + f"resources: {resources}\n"
    return parse_spec(text.encode(), "models/demo/model.yaml")


def queues(resources: str) -> dict[str, str]:
    return {task.task_id: task.queue for task in retrain(spec_with(resources)).tasks}


def test_without_a_word_all_wait_in_airflow_s_own():
    assert set(queues("{cpus: 2}").values()) == {"default"}


def test_a_step_s_own_queue_counts_before_the_model_s():
    found = queues("{queue: small, queues: {train: large}}")
    assert (found["train"], found["features"]) == ("large", "small")


@pytest.mark.parametrize("words", ["{queues: {trian: large}}", "{queue: 'a,b'}", "{queue: A}"])
def test_an_unknown_step_and_a_bad_name_are_refused(words):
    with pytest.raises(SpecError, match="resources"):
        spec_with(words)


def test_each_step_that_may_have_a_queue_is_one():
    assert set(get_args(StepName)) <= set(STEPS)


def test_an_unknown_executor_names_those_that_there_are():
    assert executors.local.__name__ == "VigilantExecutor"
    assert executors.celery.__name__ == "PatientCeleryExecutor"
    assert executors.kubernetes.__name__ == "PodExecutor"
    with pytest.raises(AttributeError, match="'cellery'; it may be local or celery"):
        _ = executors.cellery
