"""The stack's guard: when supervisord dies, it ends everything that supervisord ran.

The programs get SIGTERM by themselves then (stack/launch.py), but not all of them end of it:
Airflow's scheduler writes into the broken pipe of its log and hangs, and tasks at work have nobody
to report to.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from stack.processes import end, stack_processes

POLL_SECONDS = 1.0
GRACE_SECONDS = 8.0


def main(state: str, pidfile: Path) -> None:
    """Watch the parent, whose process id stands in `pidfile`.

    End the stack's processes when there is another one.
    """
    supervisord = int(
        pidfile.read_text()
    )  # not getppid(): supervisord may be dead before this process has begun
    while os.getppid() == supervisord:
        time.sleep(POLL_SECONDS)
    end(stack_processes(state), grace_seconds=GRACE_SECONDS)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
