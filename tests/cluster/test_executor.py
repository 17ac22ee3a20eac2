"""A pod for each task: Airflow's KubernetesExecutor, as the chart sets it up."""

from __future__ import annotations

import pytest

from tests.cluster.installation import LONG, MARKS, ONCE, RETRAIN, RUN_SECONDS, installed
from tests.cluster.reaching import kubectl, until
from tests.docker.sales import FIRST_DAY, ROW

pytestmark = MARKS


@pytest.fixture(scope="module")
def system(endpoint, tmp_path_factory):
    home = tmp_path_factory.mktemp("pods") / "home"
    with installed(home, endpoint, executor="kubernetes") as system:
        yield system


def task_pods(system):
    return system.pods("app.kubernetes.io/component=task")


def at_work(pods, task):
    return [
        name
        for name, pod in pods.items()
        if pod["metadata"]["annotations"]["task_id"] == task and pod["status"]["phase"] == "Running"
    ]


def test_each_task_is_a_pod_and_one_that_is_lost_is_done_again(system):
    """The pod of a task is deleted at work, as by a node that is drained."""
    system.api.trigger(RETRAIN, {"as_of": FIRST_DAY, "reason": "in pods"}, "first")
    until(lambda: system.pods("perennial.kind=step,perennial.step=features"), LONG)
    (name,) = at_work(task_pods(system), "features")
    until(lambda: "made the pod" in system.api.log(RETRAIN, "first", "features"), LONG)
    # At once: within the usual half minute the step might end well.
    kubectl("-n", system.namespace, "delete", "pod", name, "--wait=false", "--grace-period=1")
    until(lambda: system.tries(RETRAIN, "first", "features") == 2, LONG)
    assert system.api.wait(RETRAIN, "first", RUN_SECONDS) == "success", system.why(RETRAIN, "first")
    assert system.effects("first") == dict.fromkeys(ONCE, 1)
    assert (system.champion, system.answer([ROW]).json()["version"]) == ("1", "1")
    until(lambda: task_pods(system) == {} and system.pods("perennial.kind=step") == {}, LONG)


def test_the_logs_of_tasks_are_there_when_their_pods_are_gone(system):
    log = system.api.log(RETRAIN, "first", "gate", attempt=1)
    assert "s3://" in log
    assert "Verdict on linear (version 1): PROMOTE" in log
