"""The stack's own processes, known by the mark in their environment, and who else holds a port."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from typing import TYPE_CHECKING

import psutil

from stack.environment import MARK
from stack.layout import HOST

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


def port_is_taken(port: int) -> bool:
    """Tell whether something listens on the port of 127.0.0.1 (or of all interfaces)."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno in {errno.EADDRINUSE, errno.EACCES}:
                return True
            raise
    return False


def port_holder(port: int) -> str:
    """Return who listens on the port, in words; what the system does not tell is left out."""
    with contextlib.suppress(psutil.AccessDenied):
        for connection in psutil.net_connections("tcp"):
            if (
                connection.status == psutil.CONN_LISTEN
                and connection.laddr
                and connection.laddr.port == port
                and connection.pid
            ):
                with contextlib.suppress(psutil.Error):
                    process = psutil.Process(connection.pid)
                    return (
                        f"process {process.pid}"
                        f" ({' '.join(process.cmdline())[:120] or process.name()})"
                    )
    return "a process that this user may not see" if os.geteuid() else "an unknown process"
