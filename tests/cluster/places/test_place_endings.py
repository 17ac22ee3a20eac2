"""However a step in a pod ends, no pod is left at work, and no two work for one task."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest
from airflow.sdk.exceptions import AirflowException

from pipelines.errors import TryAgain, Unreachable
from tests.cluster.places.cut_network import cut_network
from tests.cluster.places.pods import (
    WHILE_AT_WORK,
    Heard,
    await_until,
    context,
    operator,
    started,
    the_name,
)
from tests.conftest import ROOT

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.usefixtures("nothing_left"),
]


def is_at_work(core, namespace, name):
    found = core.list_namespaced_pod(namespace, field_selector=f"metadata.name={name}").items
    return [pod.metadata.uid for pod in found if pod.status.phase == "Running"]


def is_gone(core, namespace, name):
    return not core.list_namespaced_pod(namespace, field_selector=f"metadata.name={name}").items


def core_version(core):
    from kubernetes.client import VersionApi

    found = VersionApi(core.api_client).get_code()
    return int(found.major), int(found.minor.rstrip("+"))


def test_what_an_earlier_try_left_at_work_is_ended_before_the_next_begins(settings):
    def take_over():
        assert operator(settings, "record({'n': 1})").execute(context()) == {"n": 1}

    with (
        started(operator(settings), WHILE_AT_WORK) as first,
        pytest.raises(TryAgain, match="removed while it was at work"),
    ):
        first.follow(Heard(take_over))


def test_a_worker_that_is_killed_leaves_no_second_step_beside_the_first(
    settings, core, namespace, tmp_path
):
    """The pod of the killed worker works on, until the retry has it ended; then the next begins."""
    beat = """
    open('/state/beats', 'a').write('{0} begins\\n')
    say('at work')
    end = time.monotonic() + {1}
    while time.monotonic() < end:
        open('/state/beats', 'a').write('{0}\\n')
        time.sleep(0.02)
    record({{'n': {1}}})
    """
    code = textwrap.dedent(
        f"""
        from pipelines.settings import Settings
        from tests.cluster.places.pods import context, operator
        settings = Settings.model_validate_json({settings.model_dump_json(exclude_unset=True)!r})
        operator(settings, {textwrap.dedent(beat.format("first", 600))!r}).execute(context())
        """
    )
    environ = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'plugins'}"}
    beats = tmp_path / "state" / "beats"
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", code], env=environ, stdout=subprocess.DEVNULL
    ) as worker:
        await_until(beats.exists)
        worker.kill()
    await_until(lambda: is_at_work(core, namespace, the_name(settings)))
    task = operator(settings, textwrap.dedent(beat.format("second", 1)))
    assert task.execute(context()) == {"n": 1}
    lines = beats.read_text().splitlines()
    assert set(lines[lines.index("second begins") :]) == {"second begins", "second"}
    assert lines[0] == "first begins"


def test_killing_the_task_from_a_signals_handler_leaves_nothing(settings, core, namespace):
    """Airflow calls `on_kill` from a signal's handler while `execute` waits."""
    task, name = operator(settings, WHILE_AT_WORK), the_name(settings)
    before = signal.signal(signal.SIGUSR1, lambda *_: task.on_kill())

    def kill_when_at_work():
        await_until(lambda: is_at_work(core, namespace, name))
        time.sleep(1)
        os.kill(os.getpid(), signal.SIGUSR1)

    thread = threading.Thread(target=kill_when_at_work)
    thread.start()
    try:
        with pytest.raises(AirflowException, match=r"killed \(-(15|9)\)"):
            task.execute(context())
    finally:
        thread.join()
        signal.signal(signal.SIGUSR1, before)
    await_until(lambda: is_gone(core, namespace, name))


def test_a_task_that_is_killed_while_its_pod_waits_leaves_nothing(settings, core, namespace):
    task, name = operator(settings, limits={"cpus": 400}), the_name(settings)
    before = signal.signal(signal.SIGUSR1, lambda *_: task.on_kill())

    def kill_when_there():
        await_until(lambda: not is_gone(core, namespace, name))
        os.kill(os.getpid(), signal.SIGUSR1)

    thread = threading.Thread(target=kill_when_there)
    thread.start()
    try:
        with pytest.raises(AirflowException, match=r"killed \(-15\): asked to end"):
            task.execute(context())
    finally:
        thread.join()
        signal.signal(signal.SIGUSR1, before)
    await_until(lambda: is_gone(core, namespace, name))


def test_a_task_that_is_killed_before_its_pod_is_made_makes_none(settings, core, namespace):
    task = operator(settings, WHILE_AT_WORK)
    task.on_kill()
    with pytest.raises(AirflowException, match=r"killed \(-15\): asked to end"):
        task.execute(context())
    assert is_gone(core, namespace, the_name(settings))


def test_what_goes_wrong_while_a_step_is_followed_ends_the_pod(settings, core, namespace):
    """Airflow's timeout is an exception in the middle of `follow`."""

    def time_out():
        raise TimeoutError

    with pytest.raises(TimeoutError), started(operator(settings), WHILE_AT_WORK) as running:
        running.follow(Heard(time_out))
    await_until(lambda: is_gone(core, namespace, the_name(settings)))


def test_a_pod_that_nobody_follows_ends_by_itself_when_the_tasks_time_is_over(settings):
    from datetime import timedelta

    known = settings.replace(kubernetes_steps_pending_seconds=25)
    task = operator(known, WHILE_AT_WORK, execution_timeout=timedelta(seconds=5))
    with pytest.raises(AirflowException, match="ended because it ran longer than 30 s"):
        task.execute(context())


def test_a_pod_that_is_drained_from_its_node_is_tried_again(settings, core, namespace):
    task, name = operator(settings, WHILE_AT_WORK), the_name(settings)

    def drain_when_at_work():
        await_until(lambda: is_at_work(core, namespace, name))
        version = "policy/v1" if core_version(core) >= (1, 22) else "policy/v1beta1"
        body = {"apiVersion": version, "kind": "Eviction", "metadata": {"name": name}}
        core.create_namespaced_pod_eviction(name, namespace, body, _preload_content=False)

    thread = threading.Thread(target=drain_when_at_work)
    thread.start()
    with pytest.raises(
        AirflowException, match=r"removed while it was at work.*evicted, preempted or drained"
    ) as caught:
        task.execute(context())
    thread.join()
    assert type(caught.value) is AirflowException


def test_a_pod_that_its_node_evicts_is_told_with_the_nodes_words(settings):
    code = """
with open('/tmp/large', 'wb') as file:
    for _ in range(1_100):
        file.write(bytes(2**20))
say('written')
time.sleep(120)
"""
    with pytest.raises(
        AirflowException, match=r'Evicted: Usage of EmptyDir volume "tmp" exceeds.*Remedy: the step'
    ) as caught:
        operator(settings, code).execute(context())
    assert type(caught.value) is AirflowException


def test_a_cluster_that_is_away_for_a_while_costs_nothing(settings, tmp_path):
    code = """
for n in range(60):
    say(f'line {n}')
    time.sleep(0.1)
record({'n': 1})
"""
    with cut_network(tmp_path) as (way, config):
        known = settings.replace(kubernetes_config=config)

        def cut_for_a_while():
            way.cut()
            threading.Timer(3, way.mend).start()

        with started(operator(known), code) as running:
            heard = Heard(cut_for_a_while)
            assert running.follow(heard) == 0
    assert heard.lines[:-1] == [f"line {n}" for n in range(60)]


def test_a_cluster_that_stays_away_is_told_and_the_next_try_ends_what_was_left(settings, tmp_path):
    with cut_network(tmp_path) as (way, config):
        known = settings.replace(kubernetes_config=config, kubernetes_away_seconds=3)
        with (
            started(operator(known), WHILE_AT_WORK) as running,
            pytest.raises(Unreachable, match=r"Kubernetes API does not answer.*Remedy"),
        ):
            running.follow(Heard(way.cut))
    assert operator(settings, "record({'n': 1})").execute(context()) == {"n": 1}
