"""Run a command that dies with its parent.

`python mortal.py SIGNAL PARENT COMMAND…` *becomes* COMMAND, same process id.

Linux only (PR_SET_PDEATHSIG); elsewhere the command runs without that promise. It imports nothing
of ours and little of Python's, so that `python -I -S mortal.py …` costs about 10 ms.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PR_SET_PDEATHSIG = 1
"""From <linux/prctl.h>."""


def die_with_parent(number: int, parent: int | None = None) -> None:
    """Ask the kernel for the signal `number` when the thread that started this process ends.

    0 takes the wish back.

    `parent` is the process id that the caller knows as its parent: where another process is the
    parent already, the parent died before the kernel was asked, and this process sends itself the
    signal at once.
    """
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, number, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if number and parent is not None and os.getppid() != parent:
        os.kill(os.getpid(), number)


@contextlib.contextmanager
def dying_with_parent() -> Iterator[None]:
    """Be killed (SIGKILL) if the parent dies while the block runs."""
    die_with_parent(signal.SIGKILL)
    try:
        yield
    finally:
        die_with_parent(0)


def mortal_command(number: signal.Signals, parent: int | None, command: list[str]) -> list[str]:
    """Return the command line that runs `command` so that it gets the signal when its parent (None:
    not known yet) dies.
    """
    return [sys.executable, "-I", "-S", __file__, str(int(number)), str(parent or 0), *command]


def main(arguments: list[str]) -> None:
    """Become the command."""
    number, parent, *command = arguments
    die_with_parent(int(number), int(parent) or None)
    os.execvp(command[0], command)  # noqa: S606 -- no shell is wanted


if __name__ == "__main__":
    main(sys.argv[1:])
