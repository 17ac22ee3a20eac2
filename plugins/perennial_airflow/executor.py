"""Airflow's LocalExecutor, which sees when it can start no task any more and then has the scheduler
started again.

The workers of a LocalExecutor share one queue. A worker that is killed while it waits there keeps
the queue's lock for ever: no other worker gets a task, and the scheduler goes on and looks healthy.
A worker that is stopped (SIGSTOP) there does the same. Both are seen within seconds. Then the
scheduler ends with exit code 75, and whoever runs it starts it again: supervisord in the embedded
stack, `docker/compose/scheduler.sh` in the composed one.

Tasks at work are not disturbed: their workers outlive the scheduler, and the next one leaves them
alone. A task that was queued, or whose process is gone, begins again at once.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from typing import TYPE_CHECKING, Any

import psutil
from airflow.executors.local_executor import LocalExecutor
from airflow.utils.net import get_hostname

from perennial_airflow.before_tasks import load_for_tasks
from perennial_airflow.examine_first import ExaminesFirst
from pipelines.errors import TryAgain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.models.taskinstance import TaskInstance

POLL_SECONDS = 1.0
LOCK_SECONDS = 10.0
"""The queues' locks are held for microseconds.

One that is held for so long was held by a process that died.
"""

WAITING_POLLS = 15
"""A task that waits so many polls in the queue while a worker is idle the whole time.

The worker cannot take it.
"""

TITLE = "airflow worker -- LocalExecutor"
IDLE = "<idle>"
"""How Airflow titles its workers, and those of them that wait for a task."""

INIT = 1
"""The process that takes over what a dead one leaves."""


class VigilantExecutor(ExaminesFirst, LocalExecutor):
    """A LocalExecutor that ends the scheduler when its queue is stuck, and that adopts the tasks
    which a killed scheduler left.
    """

    def start(self) -> None:
        """Start the workers and the watch over them."""
        self.orphans: dict[int, psutil.Process] = orphaned_workers()
        _close_jobs_of_dead_schedulers(self.job_id)
        load_for_tasks()
        super().start()
        self.watch = Watch(self)
        self.watch.start()

    def end(self) -> None:
        """End the workers; from now on it is no wonder when one of them is gone."""
        self.watch.ending.set()
        super().end()

    def try_adopt_task_instances(self, tis: Sequence[TaskInstance]) -> list[TaskInstance]:
        """Return those tasks of a dead scheduler that must begin again.

        The others run on, or have no try left.

        Airflow starts again what is returned, without a look at how many tries it had. So a task
        that died in its last try stays: it fails when its heartbeats are missed. A task that was
        only queued gets the try back that it did not have.
        """
        return [ti for ti in tis if self._must_begin_again(ti)]

    def _must_begin_again(self, ti: TaskInstance) -> bool:
        if ti.state == "queued":
            ti.max_tries += 1
            return True
        worker = _worker_of(ti)
        if worker is not None:
            self.orphans[worker.pid] = worker
            return False
        return ti.try_number <= ti.max_tries

    def end_idle_orphans(self) -> None:
        """End the workers of a dead scheduler that have finished their task.

        Nobody gives them another one.
        """
        for pid, worker in list(self.orphans.items()):
            if not _lives(pid):
                del self.orphans[pid]
            elif IDLE in _title(worker):
                _kill(worker)


class Watch(threading.Thread):
    """Looks every second whether the executor can still start tasks.

    If not, it ends the whole scheduler.
    """

    def __init__(
        self,
        executor: Any,
        *,
        poll_seconds: float = POLL_SECONDS,
        lock_seconds: float = LOCK_SECONDS,
    ) -> None:
        """Remember the workers that are there now."""
        super().__init__(name="queue-watch", daemon=True)
        self.ending = threading.Event()
        self._executor = executor
        self._poll_seconds = poll_seconds
        self._lock_seconds = lock_seconds
        self._workers = set(executor.workers)
        self._waiting_polls = 0

    def run(self) -> None:
        """Look until the executor ends."""
        while not self.ending.wait(self._poll_seconds):
            self._executor.end_idle_orphans()
            if reason := self.fault():
                self._end_scheduler(reason)

    def fault(self) -> str:
        """Return in words why no task can be started any more; an empty text where all is well."""
        workers = dict(self._executor.workers)
        dead = sorted(pid for pid in self._workers if pid not in workers or not _lives(pid))
        self._workers |= set(workers)
        if dead:
            return f"worker {dead[0]} was killed and may hold the lock of the task queue"
        # The locks that a killed worker may hold.
        tasks_lock = self._executor._unread_messages.get_lock()  # noqa: SLF001 -- no public name
        results_lock = self._executor.result_queue._wlock  # noqa: SLF001 -- no public name
        if not self._is_free(tasks_lock) or not self._is_free(results_lock):
            return "a lock that the workers share is not given back"
        has_waiting = not self._executor.activity_queue.empty() and any(
            not _children(pid) for pid in workers
        )
        self._waiting_polls = self._waiting_polls + 1 if has_waiting else 0
        if self._waiting_polls >= WAITING_POLLS:
            return (
                f"a task waits in the queue since {self._waiting_polls * self._poll_seconds:.0f} s"
                " though a worker is idle"
            )
        return ""

    def _is_free(self, lock: Any) -> bool:
        if not lock.acquire(timeout=self._lock_seconds):
            return False
        lock.release()
        return True

    def _end_scheduler(self, reason: str) -> None:
        """Leave at once: the main thread may wait for a lock that nobody will give back.

        Workers at work go on.
        """
        if self.ending.is_set():
            return
        self._executor.log.critical("The scheduler ends and has to be started again: %s.", reason)
        try:
            # The server for the health check ends too: its port must be free.
            for child in psutil.Process().children():
                if child.pid not in self._executor.workers or not _is_at_work(child):
                    _kill(child)
            _hang_up()
        finally:
            os._exit(TryAgain.exit_code)


def orphaned_workers() -> dict[int, psutil.Process]:
    """Return, by pid, the workers that init has taken over from a dead scheduler.

    Those that it left at work, and those that it forked while it ended the others.
    """
    return {
        process.pid: process
        for process in psutil.process_iter(["ppid", "cmdline"])
        if process.info["ppid"] == INIT
        and " ".join(process.info["cmdline"] or ()).startswith(TITLE)
    }


def _is_at_work(worker: psutil.Process) -> bool:
    """Tell whether the worker has a task.

    One that was just forked has no title of its own yet, and no task either.
    """
    title = _title(worker)
    return title.startswith(TITLE) and IDLE not in title


def _hang_up() -> None:
    """End this process's connections for all who hold them.

    A worker has copies of those that were open when it was forked. As long as one of them lives,
    the database would wait for the end of a transaction that nobody ends, and keep its locks: no
    other scheduler could start a task.
    """
    for connection in psutil.Process().net_connections(kind="inet"):
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(connection.fd)) as copy:
            copy.shutdown(socket.SHUT_RDWR)


def _close_jobs_of_dead_schedulers(job_id: Any) -> None:
    """Tell Airflow that this machine's former schedulers are dead, so that what they queued begins
    again at once.

    Airflow itself waits until their heartbeats are old. There is one scheduler on a machine for one
    database.
    """
    from airflow.jobs.job import Job, JobState
    from airflow.utils.session import create_session
    from sqlalchemy import update

    mine = (
        Job.job_type == "SchedulerJob",
        Job.hostname == _this_host(),
        Job.state == JobState.RUNNING,
    )
    with create_session() as session:
        session.execute(update(Job).where(*mine, Job.id != job_id).values(state=JobState.FAILED))


def _this_host() -> str:
    """Return this machine's name, as Airflow writes it beside jobs and tasks."""
    # Airflow's, which has no types here.
    return str(get_hostname())  # type: ignore[no-untyped-call]


def _worker_of(ti: TaskInstance) -> psutil.Process | None:
    """Return the worker that runs the task, where both still live on this machine."""
    if ti.hostname != _this_host() or not ti.pid or not _lives(ti.pid):
        return None
    try:
        worker = psutil.Process(ti.pid).parent()
    except psutil.Error:
        return None
    return worker if worker is not None and _title(worker).startswith(TITLE) else None


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _children(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children()
    except psutil.NoSuchProcess:
        return []


def _kill(process: psutil.Process) -> None:
    with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        process.kill()
