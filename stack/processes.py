"""The stack's own processes, known by the mark in their environment."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import psutil

from stack.environment import MARK

if TYPE_CHECKING:
    from collections.abc import Iterable

PROGRAM = "SUPERVISOR_PROCESS_NAME"
"""supervisord sets it for each program, and the program's children inherit it."""


def _environ(process: psutil.Process) -> dict[str, str]:
    try:
        return process.environ()
    except (psutil.Error, OSError):  # another user's, or just gone
        return {}


def _own_family() -> set[int]:
    """Return the ids of this process and its ancestors: never to be ended from here."""
    here = psutil.Process()
    return {here.pid, *(parent.pid for parent in here.parents())}


def stack_processes(state: str) -> dict[psutil.Process, str]:
    """Return all living processes of the stack with this state folder, with the names of their
    programs ("" for none).
    """
    family = _own_family()
    processes: dict[psutil.Process, str] = {}
    for process in psutil.process_iter():
        if process.pid not in family and _alive(process):
            environ = _environ(process)
            if environ.get(MARK) == state:
                processes[process] = environ.get(PROGRAM, "")
    return processes


def cpu_seconds(pids: Iterable[int]) -> int:
    """Return the whole seconds of CPU time that these processes and their living descendants have
    used.
    """
    seconds = 0.0
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            for each in (process, *process.children(recursive=True)):
                with contextlib.suppress(psutil.Error):
                    times = each.cpu_times()
                    seconds += times.user + times.system
    return int(seconds)


def _alive(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return process.status() != psutil.STATUS_ZOMBIE
    return False


def leftovers_of(state: str, program: str) -> list[psutil.Process]:
    """Return what a killed program left, to be ended before it starts again.

    A worker of a killed scheduler that is at work on a task is spared: it finishes the task, once,
    without a scheduler. So of the scheduler's only those without children and without a marked
    parent (idle workers) are returned.
    """
    leftovers = [process for process, name in stack_processes(state).items() if name == program]
    if program != "scheduler":
        return leftovers
    ids = {process.pid for process in leftovers}
    idle: list[psutil.Process] = []
    for process in leftovers:
        with contextlib.suppress(psutil.Error):
            if not process.children() and process.ppid() not in ids:
                idle.append(process)
    return idle


def end(processes: Iterable[psutil.Process], grace_seconds: float) -> None:
    """Send SIGTERM, then after the grace SIGKILL.

    Wait until they are gone. psutil takes care that no reused id is hit.
    """
    remaining = list(processes)
    for process in remaining:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    _, stubborn = psutil.wait_procs(remaining, timeout=grace_seconds)
    for process in stubborn:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(stubborn, timeout=grace_seconds)
