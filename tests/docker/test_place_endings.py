"""However a step in a container ends, no container is left behind."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest
from airflow.sdk.exceptions import AirflowException

from tests.docker.steps import WHILE_AT_WORK, Heard, context, operator, started, the_name

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("nothing_left")]


def test_what_an_earlier_try_left_at_work_is_ended_before_the_next_begins(settings, engine):
    with started(operator(settings), WHILE_AT_WORK) as first:
        assert operator(settings, "record({'n': 1})").execute(context()) == {"n": 1}
        with pytest.raises(Exception, match="removed while it was at work"):
            first.follow(Heard())


def test_stopping_asks_first_kills_what_does_not_listen_and_is_done_before_airflow_loses_patience(
    settings, engine
):
    code = """
signal.signal(signal.SIGTERM, lambda *_: say("not now"))
say("at work")
while True: time.sleep(0.1)
"""
    with started(operator(settings), code) as running:
        began = time.monotonic()
        heard = Heard(running.stop)
        assert running.follow(heard) == -signal.SIGKILL
    assert [line for _, line in heard.lines] == ["at work", "not now"]
    assert time.monotonic() - began < 5
    assert engine.containers(all=True, filters={"name": the_name(settings)}) == []


def test_killing_the_task_from_a_signals_handler_leaves_nothing(settings, engine):
    """Airflow calls `on_kill` from a signal's handler while `execute` waits."""
    task = operator(settings, WHILE_AT_WORK)
    before = signal.signal(signal.SIGUSR1, lambda *_: task.on_kill())

    def kill_when_at_work():
        while not engine.containers(filters={"name": the_name(settings)}):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGUSR1)

    thread = threading.Thread(target=kill_when_at_work)
    thread.start()
    try:
        with pytest.raises(AirflowException, match=r"killed \(-15\): asked to end"):
            task.execute(context())
    finally:
        thread.join()
        signal.signal(signal.SIGUSR1, before)
    assert engine.containers(all=True, filters={"name": the_name(settings)}) == []


def test_a_task_that_is_killed_while_its_container_is_made_does_not_let_it_work(settings):
    """The first signal may be lost on a process that is only just there; the second never is."""
    task = operator(settings, WHILE_AT_WORK)
    task.on_kill()
    with pytest.raises(AirflowException, match=r"killed \(-(15|9)\)"):
        task.execute(context())


def test_what_goes_wrong_while_a_step_is_followed_ends_the_container(settings, engine):
    """Airflow's timeout is an exception in the middle of `follow`."""

    def time_out():
        raise TimeoutError

    with pytest.raises(TimeoutError), started(operator(settings), WHILE_AT_WORK) as running:
        running.follow(Heard(time_out))
    assert engine.containers(all=True, filters={"name": the_name(settings)}) == []


def test_a_container_that_somebody_removes_is_tried_again(settings, engine):
    task = operator(settings, WHILE_AT_WORK)

    def remove_when_at_work():
        while not (found := engine.containers(filters={"name": the_name(settings)})):
            time.sleep(0.05)
        engine.remove_container(found[0]["Id"], force=True)

    thread = threading.Thread(target=remove_when_at_work)
    thread.start()
    with pytest.raises(AirflowException) as caught:
        task.execute(context())
    thread.join()
    assert type(caught.value) is AirflowException
