"""When the task queue is stuck the scheduler ends.

While a long task runs or all workers are busy it does not.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from perennial_airflow import executor
from perennial_airflow.executor import WAITING_POLLS, VigilantExecutor, Watch

ROOT = Path(__file__).resolve().parents[2]

SCHEDULER = """
import sys, time
from airflow.executors.local_executor import LocalExecutor
from perennial_airflow.executor import VigilantExecutor, Watch

executor = VigilantExecutor(parallelism=2)
executor.orphans = {}
LocalExecutor.start(executor)
executor.watch = Watch(executor, poll_seconds=0.1)
executor.watch.start()
print(*executor.workers, flush=True)
sys.stdin.readline()
executor.end()
"""


@pytest.fixture
def scheduler(tmp_path):
    """A process with a real executor of two workers; its main thread waits for a line on stdin."""
    environ = {
        **os.environ,
        "AIRFLOW_HOME": str(tmp_path),
        "PYTHONPATH": f"{ROOT / 'plugins'}:{ROOT}",
    }
    process = subprocess.Popen(
        [sys.executable, "-c", SCHEDULER],
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    while not (line := process.stdout.readline()).split()[:1] or not line.split()[0].isdigit():
        assert line, "the executor did not start"
    yield process, [psutil.Process(int(pid)) for pid in line.split()]
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


def test_a_killed_worker_ends_the_scheduler_and_leaves_no_idle_one(scheduler):
    process, workers = scheduler
    workers[0].kill()
    assert process.wait(60) == 75
    _, alive = psutil.wait_procs(workers, timeout=30)
    assert not alive


def test_a_scheduler_that_is_asked_to_end_ends_well(scheduler):
    process, workers = scheduler
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.wait(60) == 0
    assert not [worker for worker in workers if worker.is_running()]


CONNECTED = """
import os, socket, sys, time
import psutil
from airflow.executors.local_executor import LocalExecutor
from setproctitle import setproctitle
from perennial_airflow.executor import TITLE, VigilantExecutor, Watch

database = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
executor = VigilantExecutor(parallelism=1)
executor.orphans = {}
LocalExecutor.start(executor)

def forked(title):
    pid = os.fork()
    if pid == 0:
        if title:
            setproctitle(title)
        time.sleep(600)
    executor.workers[pid] = None
    return pid

idle = next(iter(executor.workers))
at_work, fresh = forked(f"{TITLE}: a task"), forked("")
while TITLE not in " ".join(psutil.Process(at_work).cmdline()):
    time.sleep(0.01)
executor.watch = Watch(executor, poll_seconds=0.1)
executor.watch.start()
print(idle, at_work, fresh, flush=True)
sys.stdin.readline()
"""


def test_a_worker_at_work_does_not_hold_the_dead_schedulers_connections(tmp_path):
    """Its database would keep the locks of a transaction that nobody ends.

    A worker that has no task yet, and no title, is not left behind either.
    """
    environ = {
        **os.environ,
        "AIRFLOW_HOME": str(tmp_path),
        "PYTHONPATH": f"{ROOT / 'plugins'}:{ROOT}",
    }
    with socket.create_server(("127.0.0.1", 0)) as database:
        command = [sys.executable, "-c", CONNECTED, str(database.getsockname()[1])]
        with subprocess.Popen(
            command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            lines = iter(process.stdout.readline, "")
            pids = next(line for line in lines if line.split()[:1] and line.split()[0].isdigit())
            idle, at_work, fresh = (psutil.Process(int(pid)) for pid in pids.split())
            try:
                connection, _ = database.accept()
                idle.kill()
                assert process.wait(60) == 75
                with connection:
                    connection.settimeout(30)
                    assert connection.recv(1) == b"", "the transaction is over"
                assert at_work.is_running()
                assert psutil.wait_procs([fresh], timeout=30)[1] == []
            finally:
                for left in (at_work, fresh):
                    with contextlib.suppress(psutil.NoSuchProcess):
                        left.kill()
                process.kill()


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
