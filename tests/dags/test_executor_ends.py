"""A scheduler whose queue is stuck ends: who ends with it, and what is left to the next one."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from perennial_airflow import executor

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


TITLED = """
import os, sys, time
from setproctitle import setproctitle
if sys.argv[2] == "orphan" and os.fork():
    os._exit(0)
setproctitle("airflow worker -- LocalExecutor: " + sys.argv[1])
print(os.getpid(), flush=True)
time.sleep(600)
"""


def test_the_next_scheduler_ends_the_idle_workers_of_a_dead_one():
    """Those at work end when they are idle; those of a scheduler that lives go on."""
    kinds = (("<idle>", "orphan"), ("a task", "orphan"), ("<idle>", "child"))
    with contextlib.ExitStack() as ends:
        workers = []
        for kind in kinds:
            process = ends.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", TITLED, *kind], stdout=subprocess.PIPE, text=True
                )
            )
            workers.append(psutil.Process(int(process.stdout.readline())))
            ends.callback(executor._kill, workers[-1])
        orphan, at_work, child = workers
        if orphan.ppid() != executor.INIT:
            pytest.skip("another process than init takes over what a dead one leaves")
        next_one = executor.VigilantExecutor(parallelism=1)
        next_one.orphans = executor.orphaned_workers()
        assert {orphan.pid, at_work.pid} <= set(next_one.orphans)
        assert child.pid not in next_one.orphans
        next_one.end_idle_orphans()
        assert psutil.wait_procs([orphan], timeout=30)[1] == []
        assert at_work.is_running()
        assert child.is_running()
