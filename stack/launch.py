"""What supervisord starts.

`python -m stack.launch STATE PROGRAM COMMAND…` clears the way, then *becomes* the program.

A program that was killed may have left processes (MLflow's server under its command, Airflow's
forks) that hold its port or its memory; they go before it starts again. The program gets SIGTERM
when supervisord dies; the guard alone must outlive it.
"""

from __future__ import annotations

import os
import signal
import sys

from pipelines.die_with_parent import die_with_parent
from pipelines.private_files import keep_private
from stack.processes import end, leftovers_of
from stack.programs import GUARD


def main(state: str, program: str, command: list[str]) -> None:
    """Become the program."""
    keep_private()  # supervisord sets its own umask only where it becomes a daemon
    if program != GUARD:
        die_with_parent(signal.SIGTERM)
    leftovers = leftovers_of(state, program)
    if leftovers:
        sys.stderr.write(
            f"{program}: ending {len(leftovers)} processes that its predecessor left\n"
        )
        end(leftovers, grace_seconds=3)
    os.execvp(command[0], command)  # noqa: S606 -- no shell is wanted


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
