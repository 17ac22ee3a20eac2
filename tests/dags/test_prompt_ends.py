"""The end of a task's process is seen when it ends, though it hung up a moment before."""

from __future__ import annotations

import os
import time
from types import SimpleNamespace

import psutil
import pytest
from airflow.sdk.execution_time.supervisor import (
    MIN_HEARTBEAT_INTERVAL,
    PsutilTracker,
    WatchedSubprocess,
)
from perennial_airflow.prompt_ends import PATIENCE_SECONDS, see_ends_at_once


@pytest.fixture(autouse=True)
def _seen():
    see_ends_at_once()


class Child:
    """A process of this one's that ends a moment after it was told to."""

    def __init__(self, code: int = 0) -> None:
        wait, self._tell = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            os.close(self._tell)
            os.read(wait, 1)
            time.sleep(0.1)
            os._exit(code)
        os.close(wait)

    def end(self) -> None:
        os.close(self._tell)


def supervisor(child: Child, **connections: str) -> SimpleNamespace:
    return SimpleNamespace(
        _process=PsutilTracker(psutil.Process(child.pid)),
        _open_sockets=connections,
        _exit_code=None,
        _process_exit_monotonic=None,
        process_log=SimpleNamespace(warning=lambda *_, **__: None),
    )


def look(watched: SimpleNamespace) -> int | None:
    return WatchedSubprocess._check_subprocess_exit(watched)


def test_a_process_that_has_hung_up_is_waited_for():
    child = Child(code=3)
    child.end()
    assert look(supervisor(child)) == 3


def test_one_that_still_speaks_is_not():
    child = Child()
    child.end()
    assert look(supervisor(child, stdout="open")) is None
    assert psutil.Process(child.pid).wait() == 0


def test_one_that_goes_on_after_it_has_hung_up_is_looked_at_again():
    child = Child()
    watched = supervisor(child)
    assert look(watched) is None
    child.end()
    assert look(watched) == 0


def test_the_wait_is_shorter_than_the_time_between_heartbeats():
    assert PATIENCE_SECONDS < MIN_HEARTBEAT_INTERVAL


def test_once_is_enough():
    before = WatchedSubprocess._check_subprocess_exit
    see_ends_at_once()
    assert WatchedSubprocess._check_subprocess_exit is before
