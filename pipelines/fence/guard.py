"""The limits that a process puts on itself before it loads a model's own code.

They guard against accidents, not against an enemy: the code runs as the same user as its parent.

`python -m pipelines.fence.guard PARENT COMMAND…` leaves the network and *becomes* COMMAND, same
process id: the kernel lets only a process of one thread go, and libraries start threads as soon as
they are imported.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import Any

from pipelines.die_with_parent import die_with_parent

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
"""From <linux/sched.h>."""

_NETWORK = frozenset(
    {
        "socket.connect",
        "socket.bind",
        "socket.sendto",
        "socket.sendmsg",
        "socket.getaddrinfo",
        "socket.gethostbyname",
        "socket.gethostbyaddr",
        "socket.getnameinfo",
    }
)
"""The events of Python's audit (PEP 578) by which the network is reached."""

KEPT = (
    "HOME",
    "LANG",
    "LD_LIBRARY_PATH",
    "PATH",
    "PYTHONHASHSEED",
    "PYTHONPATH",
    "TMPDIR",
    "TZ",
    "VIRTUAL_ENV",
)
KEPT_STEMS = ("LC_", "OMP_", "OPENBLAS_", "MKL_", "PYTHONWARN")
"""Variables of the environment that own code may see; the others may hold passwords."""


def bare_environment() -> dict[str, str]:
    """Return the variables that a process with own code gets."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in KEPT or name.startswith(KEPT_STEMS)
    }


class NetworkForbidden(RuntimeError):
    """A model's own code has reached for the network."""


def refuse_network() -> None:
    """Let what Python does to reach a network raise NetworkForbidden, from now on.

    It names the line; what other programs do is left to `leave_network`.
    """
    sys.addaudithook(_refuse_network)


def without_network(parent: int, command: list[str]) -> list[str]:
    """Return the command line that runs `command` where there is no network (see above)."""
    return [sys.executable, "-P", "-m", __name__, str(parent), *command]


def _refuse_network(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _NETWORK:
        family = getattr(arguments[0], "family", None) if arguments else None
        if family is not None and family.name == "AF_UNIX":
            return
        msg = (
            f"a model's own code must not open the network ({event}); what it learns from comes"
            " from the source"
        )
        raise NetworkForbidden(msg)


def leave_network(parent: int) -> None:
    """Take the network from this process, and from all that it starts.

    On Linux it enters an empty network of its own, where the machine allows that. It must have one
    thread only. `parent` is the process with which it dies.
    """
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    user, group = os.getuid(), os.getgid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET) == 0:
        return  # root needs no other names for users, under which it could read less
    if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) != 0:
        return  # a container, or a kernel without user namespaces: Python's audit holds alone
    with contextlib.suppress(OSError):
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    # The kernel forgets this wish where a process changes what it may do.
    die_with_parent(signal.SIGKILL, parent)


def limit_memory(most: int) -> None:
    """Let this process, and each that it starts, take at most so many bytes of memory.

    Beyond it an allocation fails, which Python raises as MemoryError. Program code and files that
    are mapped do not count (RLIMIT_DATA, Linux 4.7 and later).
    """
    import resource

    with contextlib.suppress(ValueError, OSError):  # a lower limit holds already
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


if __name__ == "__main__":
    leave_network(int(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606 -- no shell is wanted
