"""A limit within Airflow's own, by the same timer."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest
from perennial_airflow.dags.time_limit import TookTooLong, time_limit


def spin() -> None:
    while True:
        pass


def wait() -> None:
    reading, _ = os.pipe()
    os.read(reading, 1)


def hide() -> None:
    while True:
        try:
            spin()
        except Exception:  # noqa: BLE001
            continue


@pytest.mark.parametrize("work", [spin, wait, hide])
def test_what_takes_too_long_is_ended(work):
    with pytest.raises(TookTooLong), time_limit(0.05):
        work()


def test_the_time_in_which_others_had_the_processors_does_not_count():
    waits = iter([0.0])
    with time_limit(1, wait=lambda: next(waits, 100.0)):
        time.sleep(1.2)


def test_a_machine_that_stays_busy_ends_it_all_the_same():
    begin = time.monotonic()
    with pytest.raises(TookTooLong), time_limit(0.05, wait=lambda: time.monotonic() - begin):
        wait()


def test_an_outer_limit_goes_on_with_what_it_had_left():
    class Outer(Exception):
        pass

    def end(*_):
        raise Outer

    before = signal.signal(signal.SIGALRM, end)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        with time_limit(60):
            pass
        assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= 0.3
        with pytest.raises(Outer):
            spin()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_within_the_limit_nothing_happens_afterwards():
    with time_limit(0.05):
        pass
    time.sleep(0.1)


def test_another_thread_has_no_limit():
    ended = []

    def work():
        with time_limit(0.001):
            ended.append(threading.Event().wait(0.05))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert ended == [False]
