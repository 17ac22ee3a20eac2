"""Locks on files: one holder at a time, and whoever does not get one is told who has it.

A lock is the kernel's (flock): it ends with its process, however that ends, so a killed process
leaves a file and no lock. Nobody may delete such a file or take it for a lock.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.errors import Busy
from pipelines.private_files import make_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

LOOK_SECONDS = 0.005
"""How often `hold_bare` looks whether the lock is free."""

REMEDY = "wait for it to end, then run again."

_LOCKS = Path("/proc/locks")


@contextlib.contextmanager
def hold(
    path: Path,
    complaint: str,
    *,
    seconds: float,
    remedy: str = REMEDY,
    mode: int = 0o600,
) -> Iterator[int]:
    """Hold the lock of the file `path`; yield its file descriptor, which stays ours to close.

    A program that inherits the descriptor holds the lock until it ends, whatever happens to this
    process. The file and its folder are made, the file with `mode`. Raises Busy with the complaint,
    and with the process that has the lock, when it was not free within `seconds`. Raises OSError
    where the file cannot be made.
    """
    import filelock

    make_folder(path.parent)
    descriptors: list[int] = []
    lock = filelock.FileLock(path, mode=mode, on_acquired=descriptors.append)
    try:
        lock.acquire(timeout=seconds)
    except filelock.Timeout as error:
        raise _busy(path, complaint, remedy) from error
    try:
        yield descriptors[0]
    finally:
        lock.release()


@contextlib.contextmanager
def hold_bare(path: Path, complaint: str, *, seconds: float, remedy: str) -> Iterator[None]:
    """Hold a lock as `hold` does, for the server, whose image holds no filelock.

    It is looked at more often, because a request waits; no thread may hold it twice.
    """
    make_folder(path.parent)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise _busy(path, complaint, remedy) from None
                time.sleep(LOOK_SECONDS)
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def share(path: Path, complaint: str, *, remedy: str = REMEDY) -> Iterator[None]:
    """Hold a lock together with others that share it; whoever `hold`s the file holds it alone.

    Raises Busy at once where somebody holds it alone.
    """
    make_folder(path.parent)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _busy(path, complaint, remedy) from None
        yield
    finally:
        os.close(handle)


def find_holder(path: Path) -> str:
    """Return which process has the lock of a file, or nothing where that cannot be known.

    The kernel tells it on Linux, of processes that this one may see.
    """
    try:
        status = path.stat()
        lock_lines = _LOCKS.read_text(encoding="ascii").splitlines()
        device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}"
        name = f"{device}:{status.st_ino}"
        # "1: FLOCK  ADVISORY  WRITE 4711 fe:00:3017307 0 EOF"; "->" stands before one that waits
        lines = (line.split() for line in lock_lines)
        pids = [words[4] for words in lines if words[1] == "FLOCK" and words[5] == name]
        program = Path("/proc", pids[0], "comm").read_text(encoding="utf-8", errors="replace")
    except (OSError, LookupError):
        return ""
    return f"process {pids[0]} ({program.strip()})"


def _busy(path: Path, complaint: str, remedy: str) -> Busy:
    holder = find_holder(path)
    return Busy(
        f"{complaint} The lock is held by {holder}." if holder else complaint, remedy=remedy
    )
