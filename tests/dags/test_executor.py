"""When the task queue is stuck the scheduler ends.

While a long task runs or all workers are busy it does not.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest
from perennial_airflow import executor
from perennial_airflow.executor import WAITING_POLLS, VigilantExecutor, Watch


class Queue:
    """What the watch looks at.

    Processes that are workers, whether a task waits, and the two locks.
    """

    def __init__(self, *workers: int) -> None:
        self.workers = dict.fromkeys(workers)
        self.waits = False
        self.activity_queue = SimpleNamespace(empty=lambda: not self.waits)
        self.result_queue = SimpleNamespace(_wlock=multiprocessing.Lock())
        self._unread_messages = multiprocessing.Value("I")

    def end_idle_orphans(self) -> None:
        """There are none."""


@pytest.fixture
def worker():
    """Start a process that stands for a worker: without a child it is idle."""
    started: list[subprocess.Popen] = []

    def begin(*, busy: bool) -> int:
        script = "sleep 600 & echo ready; wait" if busy else "echo ready; read line"
        process = subprocess.Popen(
            ["sh", "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        process.stdout.readline()
        started.append(process)
        return process.pid

    yield begin
    for process in started:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdin.close()
        process.stdout.close()


def polls(watch: Watch, count: int = 3 * WAITING_POLLS) -> list[str]:
    return [found for found in (watch.fault() for _ in range(count)) if found]


def test_a_task_that_waits_while_all_workers_are_busy_is_no_fault(worker):
    queue = Queue(worker(busy=True), worker(busy=True))
    queue.waits = True
    assert polls(Watch(queue)) == []


def test_an_empty_queue_is_no_fault(worker):
    assert polls(Watch(Queue(worker(busy=False), worker(busy=True)))) == []


def test_a_task_that_waits_long_though_a_worker_is_idle_is_one(worker):
    queue = Queue(worker(busy=False), worker(busy=True))
    watch = Watch(queue)
    queue.waits = True
    assert polls(watch, WAITING_POLLS - 1) == [], "a worker may take a moment"
    assert "a worker is idle" in watch.fault()


def test_waits_that_end_do_not_add_up(worker):
    queue = Queue(worker(busy=False))
    watch = Watch(queue)
    for _ in range(4):
        queue.waits = True
        assert polls(watch, WAITING_POLLS - 1) == []
        queue.waits = False
        assert watch.fault() == ""


def test_a_worker_that_airflow_has_replaced_was_killed_all_the_same(worker):
    queue = Queue(worker(busy=False))
    watch = Watch(queue)
    queue.workers = {worker(busy=False): None}
    assert "was killed" in watch.fault()


@pytest.mark.parametrize("name", ["counter", "results"])
def test_a_lock_that_is_not_given_back_is_a_fault(worker, name):
    queue = Queue(worker(busy=True))
    watch = Watch(queue, lock_seconds=0.05)
    assert watch.fault() == ""
    lock = {"counter": queue._unread_messages.get_lock(), "results": queue.result_queue._wlock}[
        name
    ]
    dead = threading.Thread(target=lock.acquire)  # as a process that was killed with the lock
    dead.start()
    dead.join()
    assert "not given back" in watch.fault()


def task(
    state: str, *, pid: int | None = None, tries: int = 1, hostname: str | None = None
) -> SimpleNamespace:
    here = executor.get_hostname()
    return SimpleNamespace(
        state=state,
        pid=pid,
        try_number=tries,
        max_tries=2,
        hostname=here if hostname is None else hostname,
    )


@pytest.fixture
def adopting():
    made = VigilantExecutor(parallelism=1)
    made.orphans = {}
    return made


def test_a_queued_task_begins_again_and_loses_no_try(adopting):
    queued = task("queued")
    assert adopting.try_adopt_task_instances([queued]) == [queued]
    assert queued.max_tries == 3


def test_a_task_whose_process_is_gone_begins_again_as_long_as_it_has_tries(adopting):
    elsewhere = task("running", pid=os.getpid(), hostname="another machine")
    gone, other, last = (
        task("running", pid=2**22 + 1),
        task("running", pid=os.getpid()),
        task("running", pid=2**22 + 1, tries=3),
    )
    assert adopting.try_adopt_task_instances([elsewhere, gone, other, last]) == [
        elsewhere,
        gone,
        other,
    ], "the last one fails by heartbeat"


WORKER = """
import subprocess, sys
from setproctitle import setproctitle
setproctitle("airflow worker -- LocalExecutor: abc")
child = subprocess.Popen(["sleep", "600"])
print(child.pid, flush=True)
sys.stdin.readline()
child.kill()
child.wait()
setproctitle("airflow worker -- LocalExecutor: <idle>")
print("idle", flush=True)
sys.stdin.readline()
"""


def test_a_task_that_still_runs_is_left_alone_and_its_worker_ends_after_it(adopting):
    """The scheduler died, the worker did not.

    A second run of the task beside the first would do everything twice.
    """
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert (
            adopting.try_adopt_task_instances([task("running", pid=int(worker.stdout.readline()))])
            == []
        )
        adopting.end_idle_orphans()
        assert worker.poll() is None, "it is at work"
        worker.stdin.write("\n")
        worker.stdin.flush()
        assert worker.stdout.readline() == "idle\n"
        adopting.end_idle_orphans()
        assert worker.wait(30) == -signal.SIGKILL
        end = time.monotonic() + 30
        while adopting.orphans and time.monotonic() < end:
            adopting.end_idle_orphans()
        assert not adopting.orphans
    finally:
        worker.kill()
        worker.wait()
        worker.stdin.close()
        worker.stdout.close()
