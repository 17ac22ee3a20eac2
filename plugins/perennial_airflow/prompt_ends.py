"""Whoever watches over a task sees its end when it ends, not five seconds later.

A task's process closes its last connection to Airflow's supervisor and is gone a moment after that.
The supervisor, which is woken by the close, often finds the process still there, and looks again
when the next heartbeat is due. For these five seconds the task holds a slot of its worker, though
it is over: on a busy machine nearly each one does.
"""

from __future__ import annotations

from contextlib import suppress
from functools import wraps
from typing import Any

PATIENCE_SECONDS = 1.0
"""So long the supervisor waits, at each look, for the end of a process that has hung up."""


def see_ends_at_once() -> None:
    """Make Airflow's supervisor wait for the end of a process that has closed all connections.

    Airflow has no setting for it. Done twice it is done once.
    """
    from airflow.sdk.execution_time.supervisor import WatchedSubprocess

    watched: Any = WatchedSubprocess
    look = watched._check_subprocess_exit  # noqa: SLF001 -- no public name
    if hasattr(look, "__wrapped__"):
        return

    @wraps(look)
    def wait_and_look(supervisor: Any, *arguments: Any, **options: Any) -> int | None:
        has_hung_up = not supervisor._open_sockets  # noqa: SLF001 -- the same
        if has_hung_up and supervisor._exit_code is None:  # noqa: SLF001 -- the same
            process = supervisor._process  # noqa: SLF001 -- the same
            with suppress(process.TimeoutExpired):
                process.wait(timeout=PATIENCE_SECONDS)
        found: int | None = look(supervisor, *arguments, **options)
        return found

    watched._check_subprocess_exit = wait_and_look  # noqa: SLF001 -- the same
