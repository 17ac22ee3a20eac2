"""The supervisor of several workers forgets each one that is gone, whoever replaced it."""

from __future__ import annotations

import signal
from dataclasses import dataclass

import pytest
import uvicorn
from uvicorn.supervisors.multiprocess import SIGNALS

from serving.workers import Supervisor


@dataclass
class Worker:
    """A process as the supervisor knows it."""

    pid: int
    dead: bool = False

    def is_alive(self, **_):
        return not self.dead

    def kill(self):
        self.dead = True

    def join(self):
        """Nothing to wait for."""


@pytest.fixture
def supervisor(tmp_path):
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield Supervisor(uvicorn.Config("serving.workers:app", factory=True, workers=2), None, tmp_path)
    for number, handler in before.items():
        signal.signal(number, handler)


def gauges(folder):
    return sorted(p.name for p in folder.iterdir())


def test_a_worker_that_a_signal_replaced_or_ended_is_forgotten(supervisor, tmp_path):
    for pid in (11, 12, 13):
        (tmp_path / f"gauge_livemin_{pid}.db").touch()
        (tmp_path / f"counter_{pid}.db").touch()
    counters = [f"counter_{pid}.db" for pid in (11, 12, 13)]
    supervisor.processes = [Worker(11), Worker(12)]
    supervisor.keep_subprocess_alive()
    assert gauges(tmp_path) == [
        *counters,
        "gauge_livemin_11.db",
        "gauge_livemin_12.db",
        "gauge_livemin_13.db",
    ]
    supervisor.processes[0] = Worker(13)  # as SIGHUP does, before the supervisor looks again
    supervisor.keep_subprocess_alive()
    assert gauges(tmp_path) == [*counters, "gauge_livemin_12.db", "gauge_livemin_13.db"]
    supervisor.processes.pop()  # as SIGTTOU does
    supervisor.keep_subprocess_alive()
    assert gauges(tmp_path) == [*counters, "gauge_livemin_13.db"]
